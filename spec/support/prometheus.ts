/**
 * Reads the text format of Prometheus strictly, as promtool would: throws where a line, a name, an order or a histogram
 * is not as https://prometheus.io/docs/instrumenting/exposition_formats/ says.
 */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface MetricFamily {
  readonly type: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

const HEAD = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,|$)/y;
const UNITS =
  /_(seconds|bytes|ratio|records|info|open|limit|window|bottleneck|total|in_flight|queued|running)(_total)?$/;

export function parsePrometheus(text: string): Map<string, MetricFamily> {
  if (!text.endsWith('\n')) throw new Error('The last line has no end');
  const families = new Map<string, { type: string; help: string; samples: Sample[] }>();
  const seen = new Set<string>();
  let help: { name: string; text: string } | undefined;
  let current = '';
  for (const line of text.slice(0, -1).split('\n')) {
    const head = HEAD.exec(line);
    if (head?.[1] === 'HELP') {
      help = { name: head[2] as string, text: head[3] as string };
    } else if (head !== null) {
      current = head[2] as string;
      if (help?.name !== current) throw new Error(`TYPE of ${current} does not follow its HELP`);
      if (families.has(current)) throw new Error(`${current} stands in two places`);
      families.set(current, { type: head[3] as string, help: help.text, samples: [] });
    } else {
      const sample = parseSample(line);
      const family = families.get(current);
      if (family === undefined) throw new Error(`A sample before any TYPE: ${line}`);
      const suffix = sample.name.slice(current.length);
      const isMember = family.type === 'histogram' ? /^_(bucket|sum|count)$/.test(suffix) : suffix === '';
      if (!sample.name.startsWith(current) || !isMember) throw new Error(`${line} stands under ${current}`);
      const series = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
      if (seen.has(series)) throw new Error(`Twice: ${line}`);
      seen.add(series);
      family.samples.push(sample);
    }
  }
  for (const [name, family] of families) checkFamily(name, family);
  return families;
}

function parseSample(line: string): Sample {
  const parts = SAMPLE.exec(line);
  if (parts === null) throw new Error(`Not a sample: ${line}`);
  const [, name = '', inside = '', number = ''] = parts;
  const value = Number(number);
  if (Number.isNaN(value)) throw new Error(`Not a number: ${line}`);
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < inside.length) {
    const pair = LABEL.exec(inside);
    if (pair === null) throw new Error(`Labels that cannot be read: ${line}`);
    const text = (pair[2] as string).replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
    labels[pair[1] as string] = text;
  }
  return { name, labels, value };
}

function checkFamily(name: string, { type, samples }: MetricFamily): void {
  if (!['counter', 'gauge', 'histogram'].includes(type)) throw new Error(`${name} is of the unknown type ${type}`);
  if (!UNITS.test(name)) throw new Error(`${name} does not say its unit`);
  if ((type === 'counter') !== name.endsWith('_total')) throw new Error(`${name} is a ${type}`);
  if (type === 'counter' && samples.some(({ value }) => value < 0)) throw new Error(`${name} is below zero`);
  if (samples.some(({ labels }) => 'quantile' in labels)) throw new Error(`${name} is no summary and has a quantile`);
  if (type !== 'histogram' && samples.some(({ labels }) => 'le' in labels)) throw new Error(`${name} has "le"`);
  if (type === 'histogram') checkHistogram(name, samples);
}

function checkHistogram(name: string, samples: readonly Sample[]): void {
  const series = new Map<string, { buckets: [number, number][]; count?: number; sum?: number }>();
  for (const { name: own, labels, value } of samples) {
    const { le, ...rest } = labels;
    const key = JSON.stringify(rest);
    const one = series.get(key) ?? { buckets: [] };
    series.set(key, one);
    if (own.endsWith('_bucket')) one.buckets.push([le === '+Inf' ? Infinity : Number(le), value]);
    else if (own.endsWith('_count')) one.count = value;
    else one.sum = value;
  }
  for (const { buckets, count, sum } of series.values()) {
    buckets.forEach(([bound, value], index) => {
      const [before, less] = buckets[index - 1] ?? [-Infinity, 0];
      if (!(bound > before) || value < less) throw new Error(`The buckets of ${name} do not ascend`);
    });
    if (buckets.at(-1)?.[0] !== Infinity || buckets.at(-1)?.[1] !== count || sum === undefined) {
      throw new Error(`${name} lacks +Inf, _count or _sum`);
    }
  }
}
