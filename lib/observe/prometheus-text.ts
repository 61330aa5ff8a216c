/**
 * The text format of Prometheus, version 0.0.4.
 *
 * Guarantees: the text is valid for any label values and help texts; the samples of a metric are in one group, under
 * one HELP and one TYPE line. Source: https://prometheus.io/docs/instrumenting/exposition_formats/
 */

export type MetricType = 'counter' | 'gauge' | 'histogram';

export type Labels = Readonly<Record<string, string>>;

/** `counts` are cumulative: the samples at or below each bound. `count` is the number of all samples. */
export interface HistogramSample {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly count: number;
  readonly sum: number;
}

/** Collects the samples of one page. */
export class PrometheusText {
  private readonly families = new Map<string, { readonly head: string; readonly samples: string[] }>();

  /** @param name a valid metric name that ends with its unit; the name of a counter ends with `_total`. */
  add(name: string, type: 'counter' | 'gauge', help: string, labels: Labels, value: number): void {
    this.family(name, type, help).push(sample(name, labels, value));
  }

  histogram(name: string, help: string, labels: Labels, { bounds, counts, count, sum }: HistogramSample): void {
    const samples = this.family(name, 'histogram', help);
    bounds.forEach((bound, index) => {
      samples.push(sample(`${name}_bucket`, { ...labels, le: String(bound) }, counts[index] ?? 0));
    });
    samples.push(
      sample(`${name}_bucket`, { ...labels, le: '+Inf' }, count),
      sample(`${name}_sum`, labels, sum),
      sample(`${name}_count`, labels, count),
    );
  }

  toString(): string {
    return [...this.families.values()].map(({ head, samples }) => `${head}${samples.join('')}`).join('');
  }

  private family(name: string, type: MetricType, help: string): string[] {
    let family = this.families.get(name);
    if (family === undefined) {
      const text = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
      family = { head: `# HELP ${name} ${text}\n# TYPE ${name} ${type}\n`, samples: [] };
      this.families.set(name, family);
    }
    return family.samples;
  }
}

function sample(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
