// Archives are listed as pictures are, and every member is read.
#include "core/base/error.h"
#include "data/pictures/list.h"
#include "data/pictures/reader.h"
#include "tests/data/pictures/archive_file.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/memory_file.h"
#include "tests/support/temp_dir.h"

namespace edt::fuzz {

namespace {

// Nothing waits for a disk.
const bool in_memory = setenv("TMPDIR", "/dev/shm", 0) == 0;

std::string archive(const std::string& format, const std::string& filter,
                    const std::vector<std::pair<std::string, std::string>>& members) {
  const test::TempDir directory;
  test::ArchiveFile file(directory / "a.tar", format, filter);
  for (const auto& [name, content] : members) file.add(name, content);
  file.close();
  return read_whole(directory / "a.tar");
}

void list_and_read(const std::filesystem::path& path) {
  if (!in_memory) std::abort();  // and the compiler keeps it
  const test::TempDir directory;
  data::PictureIndexWriter writer(directory / "index");
  writer.end_list(data::list_pictures({.pictures = {path}}, writer));
  const auto index = data::PictureIndex::listed(directory / "index");
  data::PictureReader reader(index);
  for (std::uint64_t i = 0; i < index.size(); ++i) reader.read(index.at(i));
}

}  // namespace

std::vector<std::string> seeds() {
  const std::string inner = archive("ustar", "", {{"1.jpg", "picture"}, {"2.jpg", "more"}});
  return {
      archive("ustar", "", {{"a/1.jpg", "one"}, {"a/2.png", std::string(600, '2')}}),
      archive("pax", "", {{std::string(150, 'n') + "/x.jpg", "long"}}),
      archive("gnutar", "", {{"s0.cls", "3"}, {"s0.jpg", "a"}, {"s1.cls", "0"}, {"s1.jpg", "b"}}),
      archive("ustar", "", {{"n01.tar", inner}, {"n02.tar", inner}}),
      archive("ustar", "gzip", {{"a/1.jpg", "one"}, {"b/2.jpg", "two"}})};
}

}  // namespace edt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const edt::fuzz::MemoryFile file(std::span(data, size));
  try {
    edt::fuzz::list_and_read(file.path());
    return 0;
  } catch (const edt::Error&) {
    return -1;
  }
}
