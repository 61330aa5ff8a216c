/**
 * Settings as a file of properties, as `spark-submit --properties-file` reads it.
 *
 * Guarantees: Spark reads each setting as it was given, whatever characters it has, except for blanks around it.
 */
export function propertiesText(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${escaped(name)}=${escaped(value)}\n`)
    .join('');
}

/** `#` and `!` begin comments; `=`, `:` and blanks end a name. */
function escaped(text: string): string {
  return text
    .replace(/[\\=:#! ]/g, '\\$&')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t');
}
