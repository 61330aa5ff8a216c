/**
 * Renders HTML from tagged templates.
 *
 * Guarantees: every value in a template is escaped, for text and for quoted attributes, unless it is HTML from another
 * template. So data can never become markup.
 */
import { printable } from '../../text/printable.js';

/** Markup in which every value is escaped. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

type Content = Html | string | number | undefined | readonly Content[];

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Renders a template. `undefined` renders as nothing; a list renders its items in order. */
export function html(parts: TemplateStringsArray, ...contents: readonly Content[]): Html {
  return new Html(parts.reduce((text, part, index) => text + render(contents[index - 1]) + part));
}

function render(content: Content): string {
  if (content instanceof Html) return content.text;
  if (content === undefined) return '';
  if (typeof content === 'object') return content.map(render).join('');
  return printable(String(content)).replace(/[&<>"']/g, (character) => ESCAPES[character] as string);
}
