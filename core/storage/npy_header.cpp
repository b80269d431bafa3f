// The header is a Python dictionary literal:
// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
#include <charconv>
#include <cstring>
#include <set>

#include "core/base/error.h"
#include "core/storage/npy.h"

namespace edt {

namespace {

// Reads the dictionary with exactly its three keys, in any order.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, std::string_view label) : rest_(text), label_(label) {}

  NpyHeader parse() {
    NpyHeader header;
    std::set<std::string_view> seen;
    expect('{');
    while (!accept('}')) {
      const std::string_view key = string();
      expect(':');
      if (!seen.insert(key).second) broken(fmt::format("the key '{}' stands twice", key));
      if (key == "descr") {
        header.type = type(string());
      } else if (key == "fortran_order") {
        require<DataError>(word() == "False", "npy",
                           "{}: Fortran order is not supported, save it with"
                           " numpy.ascontiguousarray",
                           label_);
      } else if (key == "shape") {
        header.shape = shape();
      } else {
        broken(fmt::format("unknown key '{}'", key));
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (!rest_.empty()) broken("bytes after the dictionary");
    if (seen.size() != 3) broken("descr, fortran_order or shape is missing");
    return header;
  }

 private:
  [[noreturn]] void broken(std::string_view why) const {
    fail<DataError>("npy", "{}: damaged header: {}", label_, why);
  }

  void skip_space() {
    const std::size_t end = rest_.find_first_not_of(" \t\n");
    rest_.remove_prefix(std::min(end, rest_.size()));
  }

  bool accept(char c) {
    skip_space();
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void expect(char c) {
    if (!accept(c)) broken(fmt::format("'{}' expected", c));
  }

  std::string_view string() {
    skip_space();
    if (rest_.empty() || (rest_[0] != '\'' && rest_[0] != '"')) {
      broken("a string is expected; structured types are not supported");
    }
    const std::size_t end = rest_.find(rest_[0], 1);
    if (end == std::string_view::npos) broken("a string without end");
    const std::string_view value = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return value;
  }

  std::string_view word() {
    skip_space();
    const std::size_t end = rest_.find_first_of(",} \t\n");
    const std::string_view value = rest_.substr(0, end);
    rest_.remove_prefix(value.size());
    return value;
  }

  std::vector<std::uint64_t> shape() {
    constexpr std::size_t kMostDimensions = 32;
    std::vector<std::uint64_t> shape;
    expect('(');
    while (!accept(')')) {
      skip_space();
      std::uint64_t value = 0;
      const auto [end, status] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
      if (status != std::errc() || shape.size() == kMostDimensions) broken("an impossible shape");
      rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
      shape.push_back(value);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return shape;
  }

  NpyType type(std::string_view descr) const {
    if (descr == "<f2") return NpyType::kFloat16;
    if (descr == "<f4") return NpyType::kFloat32;
    if (descr == "<f8") return NpyType::kFloat64;
    if (descr == "<i4") return NpyType::kInt32;
    if (descr == "<i8") return NpyType::kInt64;
    fail<DataError>("npy", "{}: element type '{}' is not supported; supported: <f2 <f4 <f8 <i4 <i8",
                    label_, descr);
  }

  std::string_view rest_;
  std::string_view label_;
};

// Elements of the shape; refuses more than `limit`, so that no product overflows.
void require_size(const NpyHeader& header, std::uint64_t available, std::string_view label) {
  const std::uint64_t limit = available / header.element_bytes();
  std::uint64_t product = 1;
  bool empty = false;
  for (std::uint64_t n : header.shape) empty = empty || n == 0;
  for (std::uint64_t n : header.shape) {
    if (empty) break;
    require<DataError>(
        product <= limit / n, "npy",
        "{}: the header promises more elements than the {} bytes that follow it hold", label,
        available);
    product *= n;
  }
  const std::uint64_t bytes = empty ? 0 : product * header.element_bytes();
  require<DataError>(bytes == available, "npy",
                     "{}: the header promises {} bytes of data, {} follow it", label, bytes,
                     available);
}

}  // namespace

std::uint64_t NpyHeader::element_bytes() const {
  switch (type) {
    case NpyType::kFloat16:
      return 2;
    case NpyType::kFloat32:
    case NpyType::kInt32:
      return 4;
    case NpyType::kFloat64:
    case NpyType::kInt64:
      return 8;
  }
  return 0;
}

std::uint64_t NpyHeader::row_elements() const {
  std::uint64_t product = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) product *= shape[i];
  return product;
}

NpyHeader parse_npy_header(std::span<const std::byte> start, std::uint64_t total_bytes,
                           std::string_view label) {
  constexpr char kMagic[] = "\x93NUMPY";
  const std::string_view text(reinterpret_cast<const char*>(start.data()), start.size());
  require<DataError>(text.size() >= 10 && text.substr(0, 6) == std::string_view(kMagic, 6), "npy",
                     "{}: not a NumPy array file", label);
  const int version = text[6];
  require<DataError>(version >= 1 && version <= 3 && text[7] == 0, "npy",
                     "{}: format version {}.{}, supported are 1.0 to 3.0", label, version,
                     static_cast<int>(text[7]));
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  const std::size_t prefix = 8 + length_bytes;
  std::uint32_t length = 0;
  require<DataError>(text.size() >= prefix, "npy", "{}: the header is cut off", label);
  std::memcpy(&length, text.data() + 8, length_bytes);
  require<DataError>(length <= text.size() - prefix, "npy",
                     "{}: the header promises {} bytes of description, {} follow", label, length,
                     text.size() - prefix);
  NpyHeader header = HeaderParser(text.substr(prefix, length), label).parse();
  header.header_bytes = prefix + length;
  require_size(header, total_bytes - header.header_bytes, label);
  return header;
}

}  // namespace edt
