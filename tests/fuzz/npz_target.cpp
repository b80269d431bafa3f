#include "core/base/error.h"
#include "core/storage/npy.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/memory_file.h"
#include "tests/support/temp_dir.h"

namespace edt::fuzz {

namespace {

// numpy.savez_compressed(latents=zeros((2, 1, 4, 4), "<f4"), labels=array([1, 2])): deflated
// members.
constexpr unsigned char kCompressed[] = {
#include "tests/fuzz/npz_seed.inc"
};

// All bytes of a member, in small pieces; a member that claims too much must end in an error.
void read_member(const std::filesystem::path& path, const char* name) {
  const auto stream = open_zip_stream(path, name);
  std::vector<std::byte> piece(4096);
  std::uint64_t left = std::min<std::uint64_t>(stream->size(), 1 << 22);
  while (left > 0) {
    const std::uint64_t n = std::min<std::uint64_t>(left, piece.size());
    stream->read(std::span(piece).first(n));
    left -= n;
  }
}

}  // namespace

std::vector<std::string> seeds() {
  const test::TempDir directory;
  NpzWriter writer(directory / "a.npz", "latents", {3, 2, 2});
  writer.append(std::vector<std::uint8_t>(12, 5));
  writer.finish();
  return {read_whole(directory / "a.npz"),
          std::string(reinterpret_cast<const char*>(kCompressed), sizeof(kCompressed))};
}

}  // namespace edt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace edt;
  const fuzz::MemoryFile file(std::span(data, size));
  try {
    fuzz::read_member(file.path(), "latents");
  } catch (const Error&) {
    return -1;
  }
  try {
    NpyReader reader = NpyReader::open_member(file.path(), "latents");
    if (reader.header().data_bytes() <= 1 << 22 && reader.header().data_bytes() > 0) {
      std::vector<double> values(reader.header().rows() * reader.header().row_elements());
      reader.read(values);
    }
  } catch (const Error&) {
    // The member is no array; the archive was readable.
  }
  return 0;
}
