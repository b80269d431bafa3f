#include <cstring>
#include <memory>

#include "core/base/error.h"
#include "core/storage/npy.h"
#include "tests/fuzz/fuzz_target.h"

namespace edt::fuzz {
namespace {

class MemoryStream : public ByteStream {
 public:
  explicit MemoryStream(std::span<const std::byte> bytes) : bytes_(bytes) {}
  void read(std::span<std::byte> out) override {
    require<DataError>(out.size() <= bytes_.size() - position_, "fuzz", "end of input");
    std::memcpy(out.data(), bytes_.data() + position_, out.size());
    position_ += out.size();
  }
  void skip(std::uint64_t bytes) override {
    require<DataError>(bytes <= bytes_.size() - position_, "fuzz", "end of input");
    position_ += bytes;
  }
  void rewind() override { position_ = 0; }
  std::uint64_t size() const override { return bytes_.size(); }
  std::string label() const override { return "input"; }

 private:
  std::span<const std::byte> bytes_;
  std::uint64_t position_ = 0;
};

void read_array(NpyReader reader) {
  const NpyHeader& header = reader.header();
  if (header.rows() > 1) reader.skip(1);
  const std::uint64_t rows = header.rows() - reader.position();
  // What the header says has been checked against the size of the input, so this is bounded.
  if (header.data_bytes() == 0) return;
  std::vector<double> values(rows * header.row_elements());
  reader.read(values);
  if (!header.is_floating()) return;
  std::vector<float> floats(values.size());
  reader.seek(header.rows() - rows);
  reader.read(floats);
}

std::string npy(char version, const std::string& type, const std::string& shape, std::size_t bytes,
                const std::string& fortran = "False") {
  const std::string header =
      "{'descr': '" + type + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
  std::string text = std::string("\x93NUMPY", 6) + version + '\0' +
                     static_cast<char>(header.size()) + '\0' +
                     (version > 1 ? std::string(2, '\0') : "");
  return text + header + std::string(bytes, '\0');
}

}  // namespace

std::vector<std::string> seeds() {
  return {npy(1, "<f4", "(3, 2, 4, 4)", 384), npy(2, "<f2", "(5,)", 10),
          npy(3, "<i8", "(7, 1)", 56),        npy(1, "<f8", "()", 8),
          npy(1, "<i4", "(0, 4)", 0),         npy(1, ">f4", "(3, 2, 4, 4)", 384, "True"),
          npy(1, "|b1", "(5, 2)", 10)};
}

}  // namespace edt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace edt;
  try {
    fuzz::read_array(
        NpyReader(std::make_unique<fuzz::MemoryStream>(std::as_bytes(std::span(data, size)))));
    return 0;
  } catch (const Error&) {
    return -1;
  }
}
