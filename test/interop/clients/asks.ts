/** Asks: what every client is asked to do, so that each suite shows the same. Plain data. */
export const question = 'What is the weather in Ulm?';
/** A simulated model calls a tool that the user names. */
export const errand = 'Use get_weather for Ulm.';
export const weather = {
  name: 'get_weather',
  description: 'The weather of a city.',
  parameters: {
    type: 'object' as const,
    properties: {city: {type: 'string'}, days: {type: 'integer', minimum: 1}},
    required: ['city', 'days'],
    additionalProperties: false,
  },
};
export const place = {
  type: 'object' as const,
  properties: {
    name: {type: 'string'},
    inhabitants: {type: 'integer'},
    rivers: {type: 'array', items: {type: 'string'}},
  },
  required: ['name', 'inhabitants', 'rivers'],
  additionalProperties: false,
};
