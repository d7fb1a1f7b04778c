// The invitation's token is behind the link's "#", which no browser sends to a server: from there it goes
// into the form, and out of the address, so that it is in no history and on no screen that is shown.
const form = document.querySelector('form');
const token = location.hash.slice(1);
history.replaceState(null, '', location.pathname);
form.elements.token.value = token;
(token ? form : document.getElementById('missing')).hidden = false;
if (token) form.querySelector('button').focus();
