// Before anything is painted: dark stays dark over a reload.
try {
  const kept = JSON.parse(localStorage.getItem('kefu.console.dark') ?? 'null')
  const dark = kept ?? matchMedia('(prefers-color-scheme: dark)').matches
  document.documentElement.classList.toggle('dark', dark)
} catch { /* no storage: light */ }
