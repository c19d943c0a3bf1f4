// The panel's style as a file of its own: it packs better alone.
export { default } from './panel.css?inline'
