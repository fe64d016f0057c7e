#include "contract.hpp"

#include "bundle_name/model.hpp"
#include "json.hpp"

namespace bundle_name::detail {
namespace {

constexpr std::size_t kMostValues = std::size_t{1} << 31;

Input input_of(const Json& told) {
  Input input;
  input.name = told["name"].text();
  input.kind = told["kind"].text();
  input.dtype = told["dtype"].text();
  input.shape = told["shape"].integers();
  size_of(input.dtype);
  if (input.kind == "picture") {
    input.height = static_cast<int>(told["height"].integer());
    input.width = static_cast<int>(told["width"].integer());
    input.channels = static_cast<int>(told["channels"].integer());
    input.channels_first = told["layout"].text() == "CHW";
    input.letterbox = told["resize"].text() == "letterbox";
    input.grey = static_cast<std::uint8_t>(told["grey"].integer());
    for (const Json& pair : told["ranges"].items())
      input.ranges.emplace_back(pair.items().at(0).number(), pair.items().at(1).number());
    const auto values = static_cast<std::int64_t>(input.height) * input.width * input.channels;
    if (input.height < 1 || input.width < 1 || (input.channels != 1 && input.channels != 3) ||
        input.ranges.size() != static_cast<std::size_t>(input.channels) ||
        count_of(input.shape) != static_cast<std::size_t>(values))
      throw Error("contract.json: " + input.name + " takes no pictures");
  } else if (input.kind == "text") {
    input.length = told["length"].integer();
    input.tokenizer = told["tokenizer"].text();
  } else if (input.kind == "sound") {
    input.length = told["length"].integer();
    input.rate_hz = static_cast<int>(told["rate_hz"].integer());
    const auto& range = told["range"].items();
    input.ranges.emplace_back(range.at(0).number(), range.at(1).number());
  }
  if ((input.kind == "text" || input.kind == "sound") &&
      (input.length < 1 || count_of(input.shape) != static_cast<std::size_t>(input.length)))
    throw Error("contract.json: " + input.name + " has no length");
  return input;
}

std::vector<Port> ports_of(const Json& told) {
  std::vector<Port> ports;
  for (const Json& one : told.items()) {
    Port port{one["name"].text(), one["dtype"].text(), one["shape"].integers(), {}, {}};
    if (!one["scale"].is_null()) port.scale = static_cast<float>(one["scale"].number());
    if (!one["zero_point"].is_null()) port.zero_point = one["zero_point"].integer();
    size_of(port.dtype);
    ports.push_back(std::move(port));
  }
  return ports;
}

Answer answer_of(const Json& told) {
  Answer answer;
  answer.kind = told["kind"].text();
  const auto size = [&](const char* key) {
    const std::int64_t found = told[key].integer();
    if (found < 0) throw Error(std::string("contract.json: ") + key + " below 0");
    return static_cast<std::size_t>(found);
  };
  if (answer.kind == "classes") {
    answer.output = size("output");
    answer.activation = told["activation"].text();
    answer.top = size("top");
  } else if (answer.kind == "objects") {
    answer.threshold = told["threshold"].number();
    answer.overlap = told["overlap"].number();
    answer.most = size("most");
    answer.candidates = size("candidates");
  }
  return answer;
}

}  // namespace

std::size_t size_of(const std::string& dtype) {
  if (dtype == "uint8" || dtype == "int8") return 1;
  if (dtype == "float16") return 2;
  if (dtype == "int32" || dtype == "float32") return 4;
  if (dtype == "int64") return 8;
  throw Error("dtype " + dtype + ": this program reads uint8, int8, int32, int64, float16 and float32");
}

std::size_t count_of(const std::vector<std::int64_t>& shape) {
  std::size_t count = 1;
  for (const std::int64_t size : shape) {
    if (size < 0 || (size > 0 && count > kMostValues / static_cast<std::size_t>(size)))
      throw Error("a shape of the bundle: below 0, or more than 2^31 values");
    count *= static_cast<std::size_t>(size);
  }
  return count;
}

Contract::Contract(std::string_view json, const std::string& label) try {
  const Json told = Json::parse(json, "contract.json");
  if (told["version"].integer() != 1)
    throw Error("contract.json: another version than 1, which this program reads");
  for (const Json& one : told["inputs"].items()) inputs.push_back(input_of(one));
  answer = answer_of(told["answer"]);
  const Json& artifact = told["artifacts"][label];
  taken = ports_of(artifact["inputs"]);
  given = ports_of(artifact["outputs"]);
  if (inputs.empty() || given.empty() || answer.output >= given.size())
    throw Error("contract.json: no input or no such output");
} catch (const std::out_of_range&) {
  throw Error("contract.json: a range is no pair");
}

}  // namespace bundle_name::detail
