// Prints receipts of other people's encoders, one JSON object a line: what
// they send to a printer, and what must then stand on its paper.
import ReceiptPrinterEncoder from '@point-of-sale/receipt-printer-encoder';
import receiptline from 'receiptline';

const say = (name, language, columns, bytes, lines, symbols, pulses, pictures) => console.log(JSON.stringify({
  name, language, columns, bytes: Buffer.from(bytes).toString('hex'), lines, symbols, pulses: pulses || 0,
  pictures: pictures || [] }));

const checker = { width: 32, height: 24, data: new Uint8ClampedArray(32 * 24 * 4).map((_, i) => i % 4 === 3 ? 255 : (i >> 4) % 2 * 255) };
checker.colorSpace = 'srgb';

for (const language of ['esc-pos', 'star-prnt', 'star-line']) {
  for (const columns of [32, 42, 48]) {
    const make = () => new ReceiptPrinterEncoder({ language, columns, feedBeforeCut: 4 }).initialize();

    say('words', language, columns, make().codepage('auto')
      .align('center').bold(true).line('Holdfast Utrecht').bold(false).align('left')
      .line('Crème brûlée, œufs, smørrebrød, Größe').underline(true).line('underlined').underline(false)
      .invert(true).line('white on black').invert(false).width(2).height(2).line('TOTAL').width(1).height(1)
      .line('€ 12,50').cut().encode(),
    ['Holdfast Utrecht', 'underlined', 'white on black', 'TOTAL', '€ 12,50', 'smørrebrød'], []);

    say('table', language, columns, make().codepage('cp858').table([
      { width: columns - 14, align: 'left' }, { width: 10, align: 'right', marginLeft: 2 }],
    [['Rye crispbread', '2,99'], ['Farm cheese', '12,90']]).rule().cut().encode(),
    ['Rye crispbread', '2,99', '12,90'], []);

    say('box', language, columns, make().box({ width: columns - 2, style: 'single', align: 'center' }, 'in a box').cut().encode(),
      ['in a box'], []);

    say('codes', language, columns, make().align('center')
      .barcode('4006381333931', 'ean13', { height: 60, width: 2, text: true }).newline()
      .barcode('40170725', 'ean8', { height: 60, width: 2, text: true }).newline()
      .barcode('042100005264', 'upca', { height: 60, width: 2, text: false }).newline()
      .barcode('ABC-123', 'code39', { height: 60, width: 2, text: true }).newline()
      .barcode('12345678', 'itf', { height: 60, width: 2, text: false }).newline()
      .barcode('Order-77', 'code128', { height: 60, width: 2, text: true }).newline()
      .qrcode('https://example.com/r/4821', { model: 2, size: 5, errorlevel: 'm' }).newline()
      .pdf417('HELLO', { width: 2, height: 3, errorlevel: 1 }).newline()
      .cut().encode(),
    [], ['4006381333931', '40170725', '042100005264', 'ABC-123', '12345678', 'Order-77', 'https://example.com/r/4821', 'HELLO']);

    say('picture', language, columns, make().image(checker, 32, 24, 'threshold').line('below').cut().encode(), ['below'], []);
    say('drawer', language, columns, make().line('paid').pulse().cut().encode(), ['paid'], [], 1);
  }
}

const paper = `^^^Holdfast

Rye crispbread | 2,99
Farm cheese | 4,52
---
^TOTAL | ^7,51
{code:4006381333931;option:ean,2,60,hri}
{code:https://example.com/r/4821;option:qrcode,5,m}
"Bedankt"|
`;
for (const [command, language] of [['escpos', 'esc-pos'], ['starsbcs', 'star-prnt'], ['starlinesbcs', 'star-line']]) {
  for (const columns of [32, 42, 48]) {
    const bytes = Buffer.from(receiptline.transform(paper, { cpl: columns, encoding: 'cp858', cutting: true, command }), 'binary');
    // QR codes are sent as pictures.
    const symbols = ['4006381333931'];
    say('receiptline', language, columns, bytes, ['Holdfast', 'Rye crispbread', '2,99', 'Farm cheese', '4,52', 'TOTAL', '7,51', 'Bedankt'], symbols, 0,
      ['https://example.com/r/4821']);
  }
}
