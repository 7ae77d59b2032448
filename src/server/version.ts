/** Version of this server, and of the official one whose behaviour it follows. */
export const VERSION = "1.32.1";
export const PERDURE_VERSION = "0.1.0";
