// The report's style sheet. Series colours keep their order for the common kinds of colour blindness (after
// Okabe and Ito 2008), with tones that stand out by at least 3:1 on a light and on a dark page.
#pragma once

#include <string_view>

namespace solopo::cli {

constexpr std::string_view report_style = R"css(
:root{color-scheme:light dark;
--page:#f6f7f9;--card:#ffffff;--text:#1b1f26;--muted:#5a6473;--rule:#dfe3e9;--grid:#e9ecf1;--strong:#10141a;
--accent:#0b63a5;--good:#00734f;--bad:#a63a12;--heat:#083e70;--heat-on:#ffffff;--none:#eef0f3;--chip:#eef1f5;
--s0:#6a7280;--s1:#c46a00;--s2:#0072b2;--s3:#008a63;--s4:#b5478f;--s5:#a8370b;--s6:#6a55c2;--s7:#77730a}
@media (prefers-color-scheme:dark){:root{
--page:#0f1216;--card:#171b21;--text:#dfe4ea;--muted:#98a3b1;--rule:#2b323b;--grid:#252b33;--strong:#f4f7fa;
--accent:#6cb8f0;--good:#3ecb9b;--bad:#ff9a70;--heat:#5fb3f0;--heat-on:#06121d;--none:#1f252c;--chip:#222931;
--s0:#a3adba;--s1:#f2a33a;--s2:#56b4e9;--s3:#2ec79a;--s4:#e68fc6;--s5:#ff8a5c;--s6:#a997f7;--s7:#d3cd55}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--text);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",Arial,sans-serif;
font-feature-settings:"tnum" 1}
main,header,footer{max-width:1120px;margin:0 auto;padding:0 20px}
header{padding-top:36px}
h1{font-size:clamp(1.5rem,1.1rem + 1.8vw,2.1rem);line-height:1.2;margin:0 0 6px;color:var(--strong);
letter-spacing:-.01em;text-wrap:balance}
h2{font-size:1.22rem;line-height:1.3;margin:44px 0 6px;color:var(--strong)}
h3{font-size:1rem;line-height:1.35;margin:0 0 8px;color:var(--strong)}
p{margin:0 0 12px;max-width:72ch}
.lead,.note,figcaption p{color:var(--muted)}
.note,figcaption p{font-size:.875rem;line-height:1.5}
a{color:var(--accent)}
.card{background:var(--card);border:1px solid var(--rule);border-radius:12px;padding:18px;margin:14px 0}
.grid{display:grid;gap:14px;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));margin:14px 0}
.grid.small{grid-template-columns:repeat(auto-fit,minmax(min(100%,300px),1fr))}
.grid>.card{margin:0;min-width:0}
figure{margin:0}
.grid>figure{display:flex;flex-direction:column}
.grid>figure>svg{margin-top:auto}
figcaption p{margin:0 0 8px}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font-size:12px;fill:var(--muted);font-family:inherit}
svg .axis-title{fill:var(--muted)}
svg .group{font-weight:600;fill:var(--text)}
svg .value{fill:var(--muted)}
svg .value.clear{fill:var(--strong);font-weight:600}
svg .grid{stroke:var(--grid);stroke-width:1}
svg .grid.zero{stroke:var(--muted);stroke-width:1.2}
svg .axis{stroke:var(--muted);stroke-width:1}
svg .line{fill:none;stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}
svg .line.dashed{stroke-dasharray:6 5}
svg .line.faint{stroke-width:1;opacity:.28}
svg .bar{stroke-width:1.4;opacity:.75}
svg .mark{stroke:var(--card);stroke-width:1.2}
svg .heat{fill:var(--heat)}
svg .heat-none{fill:var(--none)}
svg .heat-text{fill:var(--text);font-size:14px;font-weight:600}
svg .heat-note{fill:var(--text);fill-opacity:.78;font-size:10.5px}
svg .heat-text.on,svg .heat-note.on{fill:var(--heat-on);fill-opacity:1}
.s0{stroke:var(--s0)}.s1{stroke:var(--s1)}.s2{stroke:var(--s2)}.s3{stroke:var(--s3)}
.s4{stroke:var(--s4)}.s5{stroke:var(--s5)}.s6{stroke:var(--s6)}.s7{stroke:var(--s7)}
.mark.s0{fill:var(--s0)}.mark.s1{fill:var(--s1)}.mark.s2{fill:var(--s2)}.mark.s3{fill:var(--s3)}
.mark.s4{fill:var(--s4)}.mark.s5{fill:var(--s5)}.mark.s6{fill:var(--s6)}.mark.s7{fill:var(--s7)}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 18px;margin:0 0 10px;padding:0;font-size:.875rem}
.legend li{display:flex;align-items:center;gap:7px}
.legend svg,.swatch{width:30px;height:12px;flex:none}
.scroll{overflow-x:auto;-webkit-overflow-scrolling:touch}
table{border-collapse:collapse;width:100%;font-size:.9375rem}
th,td{padding:8px 12px 8px 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--rule)}
tbody tr:last-child th,tbody tr:last-child td{border-bottom:0}
thead th{color:var(--muted);font-weight:600;font-size:.8125rem;vertical-align:bottom}
tbody th{font-weight:600;white-space:nowrap}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.n:last-child,th.n:last-child{padding-right:0}
td .ci,th .ci{display:block;color:var(--muted);font-size:.8125rem;font-weight:400}
td .best{color:var(--strong);font-weight:700}
tbody th .swatch{display:inline-block;vertical-align:middle;margin-right:8px}
.samples td{min-width:9rem;overflow-wrap:anywhere}
.samples td:first-child{min-width:14rem}
.yes{color:var(--good);font-weight:600}.no{color:var(--bad)}
.gold{color:var(--muted);font-size:.875rem}
pre{margin:0;padding:12px 14px;background:var(--chip);border-radius:8px;overflow-x:auto;
font:13px/1.5 ui-monospace,"SFMono-Regular",Menlo,Consolas,"Liberation Mono",monospace}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:4px 18px;margin:0;font-size:.9375rem}
dt{color:var(--muted)}dd{margin:0;overflow-wrap:anywhere}
details{margin:12px 0}summary{cursor:pointer;color:var(--accent);font-weight:600;padding:4px 0}
footer{color:var(--muted);font-size:.8125rem;padding-top:28px;padding-bottom:44px}
@media (max-width:520px){main,header,footer{padding-left:12px;padding-right:12px}.card{padding:13px}
header{padding-top:22px}h2{margin-top:34px}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:8px}
tbody th{white-space:normal;min-width:7.5rem}th,td{padding-right:10px}
svg text{font-size:14px}svg .heat-note{font-size:11.5px}svg .heat-text{font-size:15px}.legend svg{width:30px}}
@media print{body{background:#fff}.card{break-inside:avoid}}
)css";

}  // namespace solopo::cli
