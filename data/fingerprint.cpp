#include "data/fingerprint.h"

#include <fmt/chrono.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/storage/checksum.h"
#include "core/storage/durable_file.h"
#include "core/storage/input_file.h"
#include "core/storage/missing_path.h"
#include "data/walk.h"

namespace edt::data {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kBlock = 4096;
constexpr std::uint64_t kFileBlocks = 128;                       // of a file that is the input
constexpr std::uint64_t kSampledFiles = 64, kSampledBlocks = 8;  // of a folder

struct Facts {
  std::uint64_t bytes = 0;
  std::int64_t seconds = 0, nanoseconds = 0;
  auto time() const { return std::pair(seconds, nanoseconds); }
};

Facts facts_of(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) fail_errno("look at", path);
  return {static_cast<std::uint64_t>(info.st_size), info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
}

std::string time_text(const Facts& facts) {
  const std::time_t seconds = static_cast<std::time_t>(facts.seconds);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:09}Z", fmt::gmtime(seconds), facts.nanoseconds);
}

// Its first quarter of `blocks` blocks in a row, the others evenly over the rest up to the last
// byte.
void add_content(StreamingChecksum& sum, const fs::path& path, std::uint64_t blocks) {
  const InputFile file(path);
  std::vector<std::byte> buffer(kBlock);
  const auto add = [&](std::uint64_t offset) {
    const auto piece =
        std::span(buffer).first(std::min<std::uint64_t>(kBlock, file.size() - offset));
    file.read(offset, piece);
    sum.add(piece);
  };
  if (file.size() <= blocks * kBlock) {
    for (std::uint64_t offset = 0; offset < file.size(); offset += kBlock) add(offset);
    return;
  }
  const std::uint64_t head = blocks / 4, tail = blocks - head;
  for (std::uint64_t i = 0; i < head; ++i) add(i * kBlock);
  const std::uint64_t rest = file.size() - (head + 1) * kBlock;
  for (std::uint64_t i = 1; i <= tail; ++i)
    add(head * kBlock + rest / tail * i + rest % tail * i / tail);
}

// A folder may hold millions of files in any order: their checksums are added up, and those with
// the smallest ones are looked into.
Fingerprint of_folder(const fs::path& folder, const CountsAsInput& counts) {
  Fingerprint print;
  Facts latest;
  std::set<std::pair<std::uint64_t, std::string>> sampled;
  walk_files(folder, [&](const fs::path& path, const std::string& name) {
    if (!counts(path.filename().string())) return;
    const Facts facts = facts_of(path);
    const std::string line =
        fmt::format("{}\n{}\n{}.{}", name, facts.bytes, facts.seconds, facts.nanoseconds);
    print.checksum += checksum_of(std::span<const char>(line));
    ++print.files;
    print.bytes += facts.bytes;
    if (latest.time() < facts.time()) latest = facts;
    sampled.emplace(checksum_of(std::span<const char>(name)), name);
    if (sampled.size() > kSampledFiles) sampled.erase(std::prev(sampled.end()));
  });
  StreamingChecksum content;
  for (const auto& [order, name] : sampled) add_content(content, folder / name, kSampledBlocks);
  print.checksum += content.value();
  print.modified = time_text(latest);
  return print;
}

Fingerprint of_file(const fs::path& file) {
  const Facts facts = facts_of(file);
  StreamingChecksum content;
  add_content(content, file, kFileBlocks);
  return {{}, 1, facts.bytes, time_text(facts), content.value()};
}

}  // namespace

bool may_hold_arrays(const std::string& name) {
  constexpr std::array<std::string_view, 6> kExtensions{".npy", ".npz",  ".safetensors",
                                                        ".h5",  ".hdf5", ".json"};
  return !is_passed_over(name) && std::find(kExtensions.begin(), kExtensions.end(),
                                            lower_case_extension(name)) != kExtensions.end();
}

void require_no_copies(const std::vector<fs::path>& files, std::string_view where) {
  std::map<std::uint64_t, std::vector<fs::path>> by_size;
  for (const fs::path& file : files) by_size[facts_of(file).bytes].push_back(file);
  for (const auto& [size, alike] : by_size) {
    if (alike.size() < 2) continue;
    std::map<std::uint64_t, fs::path> contents;
    for (const fs::path& file : alike) {
      const auto [other, is_new] = contents.try_emplace(of_file(file).checksum, file);
      require<DataError>(is_new, where,
                         "{} and {} hold the same bytes: each sample in them would be two",
                         other->second.string(), file.string());
    }
  }
}

Fingerprint fingerprint(const fs::path& path, const CountsAsInput& counts) {
  std::error_code code;
  const fs::path whole = fs::canonical(path, code);
  require<DataError>(!code, "data", "{}: {}{}", path.string(), code.message(),
                     missing_path_hint(path));
  Fingerprint print = fs::is_directory(whole) ? of_folder(whole, counts) : of_file(whole);
  print.path = whole.string();
  return print;
}

}  // namespace edt::data
