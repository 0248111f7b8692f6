/**
 * Owns the errors that a peer causes.
 * Leaves what follows from one to the legs.
 */

/**
 * @param {number} code
 * @param {string} name as PROTOCOL §8.3 has them
 * @returns {Fault}
 */
export function createFault(code, name) {
  return { code: code, message: name };
}

/**
 * Runs what a peer's packets cause. Whatever else it throws is no fault of the peer.
 * @param {() => void} work
 * @param {(code: number, name: string) => void} failed
 */
export function withFaults(work, failed) {
  try {
    work();
  } catch (error) {
    var fault = /** @type {Fault} */ (error);
    if (!fault.code) {
      throw error;
    }
    failed(fault.code, fault.message);
  }
}

export function protocolError() {
  return createFault(4960, 'protocol-error');
}
