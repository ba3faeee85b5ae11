/**
Codec: CloudEvents 1.0 as they are written and read on every way they travel, attributes and data untouched.

The SDK's codec is not used on this path: it changes what it carries (numbers become texts, base64 data is corrupted,
nanoseconds are cut).
*/
export {
  type Headers,
  type Message,
  readHttp,
  toBatch,
  toBinary,
  toStructured,
} from './codec/http.ts';
export {readJson, readObject, toJson} from './codec/json.ts';
export {wholeText} from './codec/json-text.ts';
export {
  type KafkaRecord,
  readKafkaRecord,
  recordOf,
  toKafkaRecord,
  type WrittenRecord,
} from './codec/kafka.ts';
export {readRedisFields, redisFieldsOf, toRedisFields} from './codec/redis.ts';
