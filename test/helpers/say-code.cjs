/** Say code: loaded before a program of the image, tells for each of its bundles whether V8 took the code of the warm-up. */
const {basename} = require('node:path');
const vm = require('node:vm');

vm.Script = class extends vm.Script {
  constructor(source, options) {
    super(source, options);
    // Undefined where there was none.
    const taken = this.cachedDataRejected === false ? 'taken' : 'not taken';
    process.stderr.write(`${basename(options.filename)}: its code was ${taken}\n`);
  }
};
