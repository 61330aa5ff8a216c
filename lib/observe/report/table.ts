/** Tables. Each picture of the report has a table with the same figures. */
import { html, type Html } from './html.js';

export interface Column {
  readonly title: string;
  readonly isNumber?: boolean;
}

export interface Row {
  readonly id?: string;
  readonly isHot?: boolean;
  /** How far the header is moved in. Default 0. */
  readonly depth?: number;
  /** The first cell is the header of the row. */
  readonly cells: readonly (string | Html)[];
}

/** Makes a table. A table that is too wide or too long scrolls in its own box, by mouse or keyboard. */
export function table(caption: string, columns: readonly Column[], rows: readonly Row[]): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}">
    <table>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${columns.map(({ title, isNumber }) => html`<th scope="col" class="${isNumber === true ? 'n' : ''}">${title}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map((row) => rowOf(row, columns))}
      </tbody>
    </table>
  </div>`;
}

function rowOf({ id, isHot, depth = 0, cells }: Row, columns: readonly Column[]): Html {
  const [name = '', ...others] = cells;
  return html`<tr class="${isHot === true ? 'hot' : ''}" ${id === undefined ? '' : html`id="${id}"`}>
    <th scope="row" ${depth === 0 ? '' : html`style="padding-left: ${depth * 1.4 + 0.6}rem"`}>${name}</th>
    ${others.map((cell, index) => html`<td class="${columns[index + 1]?.isNumber === true ? 'n' : ''}">${cell}</td>`)}
  </tr>`;
}
