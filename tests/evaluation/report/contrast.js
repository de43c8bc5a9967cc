// The texts of the page whose contrast with what lies below them is less than 4.5 (WCAG 2.2, 1.4.3), and how many there are.
(() => {
  const color = text => {
    const numbers = (text.match(/[\d.]+/g) || []).map(Number);
    return numbers.length < 3 ? null : [...numbers.slice(0, 3), numbers.length > 3 ? numbers[3] : 1];
  };
  const over = (top, below) => [0, 1, 2].map(i => top[3] * top[i] + (1 - top[3]) * below[i]).concat(1);
  const luminance = rgb => {
    const [r, g, b] = rgb.slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paint = element => {
    const style = getComputedStyle(element);
    if (element instanceof SVGElement) {
      if (['text', 'title', 'desc', 'svg', 'line', 'polyline'].includes(element.tagName) || style.fill === 'none') return null;
      const fill = color(style.fill);
      return fill && [...fill.slice(0, 3), fill[3] * Number(style.fillOpacity)];
    }
    return color(style.backgroundColor);
  };
  const paper = color(getComputedStyle(document.body).backgroundColor);
  const poor = [];
  let texts = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || ['SCRIPT', 'STYLE', 'title', 'desc'].includes(element.tagName)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getClientRects()[0];
    if (!box || !box.width) continue;
    const stack = document.elementsFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    const place = stack.indexOf(element);
    if (place < 0) continue; // scrolled out of its region
    texts += 1;
    const style = getComputedStyle(element);
    let below = paper;
    for (const other of stack.slice(place).reverse()) {
      const painted = paint(other);
      if (painted && painted[3] > 0) below = over(painted, below);
    }
    const ink = over(color(element instanceof SVGElement ? style.fill : style.color), below);
    const [light, dark] = [luminance(ink), luminance(below)].sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < 4.5) poor.push(`${contrast.toFixed(2)} ${element.tagName}.${element.className.baseVal ?? element.className}: ${node.data.slice(0, 40)}`);
  }
  return {texts, poor};
})()
