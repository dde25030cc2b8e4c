/** What a model finds. */

/** Something that the model rules out has happened. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** Throws a `Violation` unless `condition` holds. */
export function expect(condition: boolean, what: () => string): void {
  if (!condition) throw new Violation(what());
}
