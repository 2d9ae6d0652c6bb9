/** 200 texts that would become markup, or run, where somebody forgot to escape them. */
const openings = ['', '">', "'>", '</title>', '</textarea>', '</script>', '-->', ']]>', '&quot;>', '\\">'];
const attacks = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '<svg/onload=alert(1)>',
  '<iframe src=javascript:alert(1)>',
  '<a href=javascript:alert(1)>x</a>',
  '<b>bold</b>',
  '<details open ontoggle=alert(1)>',
  '<input autofocus onfocus=alert(1)>',
  '<base href=//evil.example>',
  '<meta http-equiv=refresh content=0>',
  '<style>*{display:none}</style>',
  '<form action=//evil.example>',
  '<math><mi xlink:href=javascript:alert(1)>',
  '<template><script>alert(1)</script>',
  '" onmouseover=alert(1) x="',
  "' onmouseover=alert(1) x='",
  'javascript:alert(1)',
  '{{7*7}} ${7*7} <%= 7*7 %>',
  '&lt;b&gt; &#60;b&#62;',
  '<!-- <!',
];
export const hostileTexts = openings.flatMap((opening) => attacks.map((attack) => opening + attack));
