/** Options that do not work: one line for the user. */
export class OptionsError extends Error {
  override readonly name = "OptionsError";
}
