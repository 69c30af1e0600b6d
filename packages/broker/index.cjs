// What `require` gives: the function that makes brokers, as Aedes's package was one, with all other names as its properties.
module.exports = require('./dist/index.js').default
