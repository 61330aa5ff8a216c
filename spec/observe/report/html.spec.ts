import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Html, html as markup } from '#lib/observe/report/html.js';

describe('an HTML template', () => {
  it('escapes what is put into it, and takes markup only from other templates', () => {
    const item = markup`<li>${'<b>'}</li>`;
    expect(markup`<ul title="${'"&\''}">${[item, item]}${undefined}${3}</ul>`.text).toBe(
      '<ul title="&quot;&amp;&#39;"><li>&lt;b&gt;</li><li>&lt;b&gt;</li>3</ul>',
    );
    expect(markup`${new Html('<hr />')}`.text).toBe('<hr />');
  });

  it('lets nothing out of its place, whatever it holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const [, inside = ''] = /^<p title="(.*)">$/s.exec(markup`<p title="${text}">`.text) ?? [];
        expect(inside).not.toMatch(/[<>"']|&(?!amp;|lt;|gt;|quot;|#39;)/);
        expect(inside).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e]/u);
      }),
    );
  });
});
