#include "launcher/run/generation.h"

#include <fstream>

#include "core/storage/durable_file.h"

namespace edt {
namespace {

// 0: there is none, or it cannot be read.
std::uint64_t stored_number(const std::filesystem::path& file) {
  std::uint64_t number = 0;
  std::ifstream(file) >> number;
  return number;
}

}  // namespace

Generation::Generation(std::filesystem::path file, std::uint64_t number)
    : file_(std::move(file)), number_(number) {}

Generation Generation::take(std::filesystem::path file) {
  const std::uint64_t number = stored_number(file) + 1;
  write_text_atomically(file, fmt::format("{}\n", number));
  return {std::move(file), number};
}

bool Generation::is_current() const { return stored_number(file_) <= number_; }

void Generation::check() const {
  const std::uint64_t stored = stored_number(file_);
  if (stored <= number_) return;
  fail<ReplacedError>("run", "{} belongs to generation {} now, this is generation {}: stopping",
                      file_.parent_path().string(), stored, number_);
}

}  // namespace edt
