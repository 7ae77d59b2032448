export interface VisibilityFilter { readonly kind: string }
export interface VisibilityOrder { readonly kind: string }
