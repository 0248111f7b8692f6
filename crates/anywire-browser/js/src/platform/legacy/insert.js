/**
 * Owns where an element goes that nobody is to see. Only in the full build.
 */

/**
 * @param {Settings} settings
 * @param {any} element
 */
export function insert(settings, element) {
  var page = settings.document;
  (page.body || page.getElementsByTagName('head')[0]).appendChild(element);
}
