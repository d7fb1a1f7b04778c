// Who follows the link of an invitation and is not logged in yet: what is behind its "#" would go on with the
// address to the portal's login, so the tab keeps it until he is back.
const brought = location.hash.slice(1);
if (brought) {
  sessionStorage.setItem('moonlight:brought', brought);
  history.replaceState(null, '', location.pathname);
}
location.replace(document.querySelector('a[href]').href);
