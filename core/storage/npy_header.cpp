// The header is a Python dictionary literal:
// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
#include <charconv>
#include <cstring>
#include <set>

#include "core/base/error.h"
#include "core/storage/npy.h"

namespace edt {

namespace {

// NumPy's kind and size in bytes.
std::string_view code_of(NpyType type) {
  constexpr std::string_view kCodes[] = {"f2", "f4", "f8", "i1", "i2", "i4",
                                         "i8", "u1", "u2", "u4", "u8", "b1"};
  return kCodes[static_cast<int>(type)];
}

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
        type(string(), header);
      } else if (key == "fortran_order") {
        const std::string_view value = word();
        if (value != "True" && value != "False") broken("fortran_order is neither True nor False");
        header.fortran_order = value == "True";
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
    require<DataError>(!rest_.starts_with('['), "npy",
                       "{}: its elements have fields (a structured type): save each field as an "
                       "array of its own",
                       label_);
    if (rest_.empty() || (rest_[0] != '\'' && rest_[0] != '"')) broken("a string is expected");
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

  // "<f4", ">i8", "|u1", ...
  void type(std::string_view descr, NpyHeader& header) const {
    require<DataError>(
        descr != "|O", "npy",
        "{}: holds Python objects (dtype object), not numbers; NumPy reads them with "
        "allow_pickle=True only",
        label_);
    require<DataError>(
        descr.substr(std::min<std::size_t>(1, descr.size())) != "V2" &&
            descr.substr(std::min<std::size_t>(1, descr.size())) != "V1",
        "npy",
        "{}: element type '{}' is bytes without a meaning, which is what NumPy saves "
        "of bfloat16 and float8: save x.astype('float32')",
        label_, descr);
    const char order = descr.empty() ? '?' : descr[0];
    for (int i = 0; i <= static_cast<int>(NpyType::kBool); ++i) {
      const auto candidate = static_cast<NpyType>(i);
      if (std::string_view("<>=|").find(order) == std::string_view::npos ||
          descr.substr(1) != code_of(candidate)) {
        continue;
      }
      header.type = candidate;
      header.big_endian = order == '>' && size_of(candidate) > 1;
      return;
    }
    fail<DataError>(
        "npy",
        "{}: element type '{}' is not supported; supported: f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 "
        "u8 b1",
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

std::string_view name_of(NpyType type) {
  constexpr std::string_view kNames[] = {"float16", "float32", "float64", "int8",
                                         "int16",   "int32",   "int64",   "uint8",
                                         "uint16",  "uint32",  "uint64",  "bool"};
  return kNames[static_cast<int>(type)];
}

std::size_t size_of(NpyType type) { return static_cast<std::size_t>(code_of(type)[1] - '0'); }

bool NpyHeader::is_floating() const {
  return type == NpyType::kFloat16 || type == NpyType::kFloat32 || type == NpyType::kFloat64;
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
  const int version = static_cast<unsigned char>(text[6]);
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
