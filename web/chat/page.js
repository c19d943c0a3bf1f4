// The stand-alone chat page: the same widget, opened at once. The site's key is the last part of the address.
const key = decodeURIComponent(location.pathname.split('/').filter(Boolean).pop() ?? 'demo')
const tag = document.createElement('script')
tag.src = '/kefu.js'
tag.async = true
tag.dataset.site = key
tag.addEventListener('load', () => window.kefu('open'))
document.head.append(tag)
