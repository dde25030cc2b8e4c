/** What is measured: the names in a sample, and how they are shown. */

/** Something measured. */
export interface Figure {
  /** Its name in a sample. */
  name: string;
  /** The head of its column, with the unit. */
  title: string;
  /** What it is, for the legend; empty where the title says it. */
  means: string;
  /** Digits after the point. */
  digits: number;
  /** Whether it is shown in percent. */
  isShare?: boolean;
}

/** A column of a table. */
export interface Column {
  figure: Figure;
  title: string;
  /** The peer that it is compared with, round by round. */
  of?: string;
  /** Whether it shows how far the rounds are apart. */
  isSpread?: boolean;
}

/** The median over the rounds. */
export function column(figure: Figure): Column {
  return { figure, title: figure.title };
}

/** Half the distance from the lowest round to the highest. */
export function spreadOf(figure: Figure): Column {
  return { figure, title: "±", isSpread: true };
}

/** The median of the ratios to another peer in each round. */
export function ratio(figure: Figure, of: string, title: string): Column {
  return { figure, title, of };
}

/** What is done in a second. */
export function rate(unit: string): Figure {
  return { name: "perSecond", title: `${unit}/s`, means: "", digits: 0 };
}

/** The share of the cores that anything else used, in every sample. */
export const othersBusy = "othersBusy";
