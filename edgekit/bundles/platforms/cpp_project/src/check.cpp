// Proves a build with the golden cases, step by step.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <stdexcept>

#include "answers.hpp"
#include "json.hpp"
#include "parts.hpp"
#include "ppm.hpp"
#include "wav.hpp"

namespace bundle_name {
namespace {

using detail::Contents;
using detail::Json;

// Kernels differ from processor to processor by rounding: of an int8 file by steps, whose size an
// output of real values does not tell.
constexpr double kTolerance = 0.05;
// Scores are compared as the C library's exp gives them.
constexpr double kScores = 1e-6;

Tensor golden(const Contents& contents, const Json& entry) {
  Tensor tensor{entry["dtype"].text(), entry["shape"].integers(), {}};
  const std::string bytes = contents.read(entry["file"].text());
  if (bytes.size() != detail::count_of(tensor.shape) * detail::size_of(tensor.dtype))
    throw Error(entry["file"].text() + ": another size than its shape");
  tensor.bytes.resize(bytes.size());
  std::memcpy(tensor.bytes.data(), bytes.data(), bytes.size());
  return tensor;
}

std::string ppm_of(const std::string& png) { return png.substr(0, png.size() - 3) + "ppm"; }

[[noreturn]] void fail(const std::string& what, std::size_t number, const std::string& why) {
  throw Error("golden " + what + " " + std::to_string(number) + ": " + why);
}

// The biggest difference.
double apart_by(const Tensor& found, const Tensor& wanted) {
  const std::vector<double> one = detail::values_of(found);
  const std::vector<double> other = detail::values_of(wanted);
  if (one.size() != other.size()) return std::numeric_limits<double>::infinity();
  double most = 0.0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    const double difference = std::abs(one[i] - other[i]);
    most = difference <= most ? most : difference;  // and a NaN is kept
  }
  return most;
}

// Output → what lies between its lowest and its highest value in all cases: a step of a quantized
// output is the same in each of them, however little one case moves it.
std::map<std::string, double> spreads_of(const std::vector<Tensors>& all) {
  std::map<std::string, double> spreads;
  for (const auto& [name, first] : all.front()) {
    double low = std::numeric_limits<double>::infinity();
    double high = -low;
    for (const Tensors& outputs : all)
      for (const double value : detail::values_of(outputs.at(name))) {
        low = std::min(low, value);
        high = std::max(high, value);
      }
    spreads[name] = std::max(high - low, 1e-6);
  }
  return spreads;
}

// Whether an answer is the one of a case: objects and classes exactly, scores but for rounding.
bool same(const std::vector<Found>& found, const Json& wanted) {
  if (wanted.table().empty()) return found.empty();
  const auto& classes = wanted["classes"].items();
  const auto& scores = wanted["scores"].items();
  const Json* boxes = wanted.find("boxes");
  if (found.size() != classes.size() || scores.size() != classes.size()) return false;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i].number != classes[i].integer()) return false;
    if (!(std::abs(found[i].score - scores[i].number()) <= kScores)) return false;
    if ((boxes != nullptr) != found[i].box.has_value()) return false;
    if (boxes == nullptr) continue;
    const auto& box = boxes->items().at(i).items();
    const Box& own = *found[i].box;
    if (box.at(0).number() != own.left || box.at(1).number() != own.top ||
        box.at(2).number() != own.right || box.at(3).number() != own.bottom)
      return false;
  }
  return true;
}

// The best class of outputs that are a little apart, unless the next one is as good but for that.
bool same_best(const std::vector<Found>& found, const Json& wanted) {
  const Json* scores = wanted.find("scores");
  if (scores == nullptr || wanted.find("boxes") != nullptr || scores->items().empty()) return true;
  const auto& best = scores->items();
  if (best.size() > 1 && best[0].number() - best[1].number() <= kTolerance) return true;
  return !found.empty() && found.front().number == wanted["classes"].items().front().integer();
}

}  // namespace

// Texts and sounds, each with the sample that it becomes.
void Model::check_originals(const detail::Json& told, Checked& checked) const {
  for (const char* kind : {"text", "sound"}) {
    const auto& all = told[std::string(kind) + "s"].items();
    for (std::size_t i = 0; i < all.size(); ++i) {
      const std::string& what = all[i][kind].text();
      Tensors made;
      if (all[i].find("sound") != nullptr) {
        const std::vector<float> sound =
            detail::wav_of(parts_->contents.read(what), rate_hz(), length(), what);
        made = prepare(sound.data(), sound.size());
      } else {
        made = prepare(std::string_view(what));
      }
      const Tensor wanted = golden(parts_->contents, all[i]["input"]);
      const Tensor& own = made.begin()->second;
      if (own.dtype != wanted.dtype || own.shape != wanted.shape || own.bytes != wanted.bytes)
        fail(kind, i, "preprocessing gives other numbers");
      ++checked.cases;
      ++checked.originals;
    }
  }
}

Checked Model::check() try {
  const Contents& contents = parts_->contents;
  const std::string text = contents.read("golden/cases.json");
  const Json told = Json::parse(text, "golden/cases.json");
  Checked checked;
  const auto& pictures = told["pictures"].items();
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const std::string name = ppm_of(pictures[i]["picture"].text());
    const detail::Ppm ppm(contents.read(name), name);
    const Tensors made = prepare(ppm.picture());
    const Tensor wanted = golden(contents, pictures[i]["input"]);
    const Tensor& own = made.begin()->second;
    if (own.dtype != wanted.dtype || own.shape != wanted.shape || own.bytes != wanted.bytes)
      fail("picture", i, "preprocessing gives other values");
    checked.values += detail::count_of(own.shape);
    ++checked.cases;
  }
  check_originals(told, checked);
  const auto& cases = told["cases"].items();
  std::vector<Tensors> wanted(cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i)
    for (const auto& [name, entry] : cases[i]["outputs"][artifact()].table())
      wanted[i].emplace(name, golden(contents, entry));
  if (wanted.empty()) throw Error("golden/cases.json: no case");
  const std::map<std::string, double> spreads = spreads_of(wanted);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    Tensors sample;
    for (const auto& [name, entry] : cases[i]["inputs"].table())
      sample.emplace(name, golden(contents, entry));
    const Tensors found = run(sample);
    for (const auto& [name, output] : wanted[i]) {
      const auto own = found.find(name);
      if (own == found.end()) fail("case", i, "no output " + name);
      const double apart = apart_by(own->second, output) / spreads.at(name);
      if (!(apart <= kTolerance))
        fail("case", i, name + " is " + std::to_string(100 * apart) +
                            " % of its spread apart; limit 5 %");
      checked.worst = std::max(checked.worst, apart);
    }
    const Json& given = cases[i]["answers"][artifact()];
    if (!same(answer(wanted[i]), given)) fail("case", i, "other classes or objects from its outputs");
    if (!same_best(answer(found), given)) fail("case", i, "another class");
    ++checked.cases;
  }
  return checked;
} catch (const std::out_of_range&) {
  throw Error("golden/cases.json: a case without an output or a corner of a box");
}

}  // namespace bundle_name
