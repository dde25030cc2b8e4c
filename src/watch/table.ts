/**
 * Tables as text.
 *
 * @module
 */

/** Lines with aligned columns; columns in which nothing stands are left out. */
export function formatTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): string[] {
  const columns = headings.map((_, column) => column)
    .filter((column) => rows.some((row) => row[column] !== ""));
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column].length))
  );
  return rows.length === 0
    ? []
    : [headings, ...rows].map((row) =>
      columns.map((column) => row[column].padEnd(widths[column])).join("  ")
        .trimEnd()
    );
}
