#include "launcher/run/fencing_token.h"

#include <charconv>
#include <fstream>

#include "core/base/log.h"
#include "core/storage/durable_file.h"

namespace edt {
namespace {

// 0: there is none, or it cannot be read.
std::uint64_t stored_number(const std::filesystem::path& file) {
  std::string word;
  std::ifstream(file) >> word;
  std::uint64_t number = 0;
  const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), number);
  constexpr std::uint64_t kMost = std::uint64_t{1} << 62;  // beyond it is damage, and would wrap
  return code == std::errc() && end == word.data() + word.size() && number < kMost ? number : 0;
}

}  // namespace

FencingToken::FencingToken(std::filesystem::path file, std::uint64_t number)
    : file_(std::move(file)), number_(number) {}

FencingToken FencingToken::take(std::filesystem::path file,
                                const std::function<std::uint64_t()>& known) {
  std::uint64_t last = stored_number(file);
  if (const std::uint64_t other = known(); other > last) {
    log::warning("[run] {} says {}, the metrics have generation {}: counting on from there",
                 file.string(), last, other);
    last = other;
  }
  const std::uint64_t number = last + 1;
  write_text_atomically(file, fmt::format("{}\n", number));
  return {std::move(file), number};
}

bool FencingToken::is_current() const { return stored_number(file_) <= number_; }

void FencingToken::check() const {
  const std::uint64_t stored = stored_number(file_);
  if (stored <= number_) return;
  fail<ReplacedError>("run", "{} belongs to generation {} now, this is generation {}: stopping",
                      file_.parent_path().string(), stored, number_);
}

}  // namespace edt
