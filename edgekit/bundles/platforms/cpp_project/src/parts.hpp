// What a loaded model consists of.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bundle_name/model.hpp"
#include "contents.hpp"
#include "contract.hpp"
#include "runtime.hpp"
#include "wordpiece.hpp"

namespace bundle_name {

struct Model::Parts {
  Parts(const std::filesystem::path& bundle, const Options& options);

  const detail::Input& only_input(const char* kind) const;
  void load(const Options& options);

  detail::Contents contents;
  detail::Held held;
  detail::Contract contract;
  std::vector<std::string> labels;
  std::optional<detail::WordPiece> wordpiece;
  std::vector<std::string> passed_over;
  std::unique_ptr<detail::Runtime> runtime;
};

}  // namespace bundle_name
