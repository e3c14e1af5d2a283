"""What the tests of the page of an explanation share: how it is loaded, and how its controls are set."""

CHOOSE = """((id, value) => { const node = document.getElementById(id); node.value = value;
  node.dispatchEvent(new Event(node.matches('input') ? 'input' : 'change')); })"""
DRAWN = """new Promise((done) => requestAnimationFrame(() => { const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => done(0); port2.postMessage(0); }))"""
IDLE = """new Promise((done) => { const look = () => document.querySelector('#rows[aria-busy=true]') ? setTimeout(look, 5) : done(0);
  look(); })"""


def shown(tab, file):
    """A page, loaded and drawn."""
    tab.visit(file)
    ready = "new Promise((found) => { const look = () => globalThis.imgconvPage ? found(true) : setTimeout(look, 20); look(); })"
    assert tab.value(ready)
    settle(tab)
    return tab


def settle(tab):
    tab.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
