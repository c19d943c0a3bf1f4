// The demo shop: loads the widget for the site named in the address, and speaks two languages.
const site = decodeURIComponent(location.pathname.split('/').filter(Boolean).pop() ?? 'demo')

const tag = document.createElement('script')
tag.async = true
tag.src = '/kefu.js'
tag.dataset.site = site

const words = [...document.querySelectorAll('[data-en]')].map((node) => ({
  node, zh: node.textContent, en: node.dataset.en,
}))
let language = new URLSearchParams(location.search).get('lang')
  ?? (/^en/i.test(navigator.language) ? 'en' : 'zh-CN')

function speak() {
  const en = language === 'en'
  document.documentElement.lang = language
  document.title = en ? 'Northslope · demo shop' : '北麓户外 · 演示商店'
  for (const word of words) word.node.textContent = en ? word.en : word.zh
  document.querySelector('#language').textContent = en ? '中文' : 'English'
}

document.querySelector('#language').addEventListener('click', () => {
  language = language === 'en' ? 'zh-CN' : 'en'
  speak()
  window.kefu?.('update', { locale: language })
})
document.querySelector('[data-open]').addEventListener('click', () => window.kefu?.('open'))
document.querySelector('[data-ask]').addEventListener('click', () => window.kefu?.('newMessage',
  language === 'en' ? 'Which size of the Ridge shell jacket fits 175 cm?' : '山脊三层冲锋衣，175 cm 穿什么尺码？'))
document.querySelector('#snippet').textContent =
  `<script async src="${location.origin}/kefu.js" data-site="${site}"></script>`
speak()
tag.dataset.locale = language
document.head.append(tag)
