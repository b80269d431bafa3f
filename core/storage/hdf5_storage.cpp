// Where the values of a data set lie, and that all of them are there: HDF5 itself answers with fill
// values where they are not.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/error.h"
#include "core/storage/hdf5_calls.h"
#include "core/storage/hdf5_library.h"
#include "core/storage/input_file.h"

namespace edt::h5 {

namespace {

constexpr H5Z_filter_t kLzf = 32000;

// Filters of the registry (docs.hdfgroup.org, "Registered filter plugins") that compress arrays of
// numbers. Files mostly carry the name as well.
std::string filter_name(H5Z_filter_t filter, const char* stored) {
  constexpr std::array<std::pair<H5Z_filter_t, const char*>, 8> kNames{{{H5Z_FILTER_SZIP, "szip"},
                                                                        {307, "bzip2"},
                                                                        {kLzf, "lzf"},
                                                                        {32001, "blosc"},
                                                                        {32004, "lz4"},
                                                                        {32008, "bitshuffle"},
                                                                        {32015, "zstd"},
                                                                        {32026, "blosc2"}}};
  if (*stored != '\0') return stored;
  for (const auto& [id, name] : kNames) {
    if (id == filter) return name;
  }
  return "?";
}

// An optional filter is left out where it would not have made a chunk smaller.
bool is_used(hid_t dataset, unsigned filter, const std::string& label) {
  const Handle space = own(H5Dget_space(dataset), close_space, label, "read its shape");
  std::array<hsize_t, H5S_MAX_RANK> begin{};
  hsize_t chunks = 0;
  check(H5Dget_num_chunks(dataset, space.get(), &chunks), label, "count its chunks");
  for (hsize_t chunk = 0; chunk < chunks; ++chunk) {
    unsigned left_out = 0;
    check(H5Dget_chunk_info(dataset, space.get(), chunk, begin.data(), &left_out, nullptr, nullptr),
          label, "read its filters");
    if ((left_out >> filter & 1) == 0) return true;
  }
  return false;
}

void require_filters(hid_t dataset, hid_t properties, const std::string& label) {
  const int count = H5Pget_nfilters(properties);
  if (count < 0) fail_hdf5(label, "read its filters");
  for (int i = 0; i < count; ++i) {
    unsigned flags = 0, abilities = 0;
    std::size_t values = 0;
    std::array<char, 64> name{};
    const H5Z_filter_t filter =
        H5Pget_filter2(properties, static_cast<unsigned>(i), &flags, &values, nullptr,
                       name.size() - 1, name.data(), nullptr);
    if (filter < 0) fail_hdf5(label, "read its filters");
    const bool decodes = H5Zfilter_avail(filter) > 0 &&
                         H5Zget_filter_info(filter, &abilities) >= 0 &&
                         (abilities & H5Z_FILTER_CONFIG_DECODE_ENABLED) != 0;
    H5Eclear2(H5E_DEFAULT);
    require<DataError>(
        decodes || !is_used(dataset, static_cast<unsigned>(i), label), "hdf5",
        "{}: its chunks need the filter '{}' (number {}), which HDF5 {} lacks here: "
        "put its plug-in into a directory of HDF5_PLUGIN_PATH, or write the data set "
        "anew without it",
        label, filter_name(filter, name.data()), filter, hdf5_version());
  }
}

// Whether all of the filters are those whose best rate is known.
bool filters_are_known(hid_t properties) {
  constexpr std::array<H5Z_filter_t, 4> kKnown{H5Z_FILTER_DEFLATE, H5Z_FILTER_SHUFFLE,
                                               H5Z_FILTER_FLETCHER32, kLzf};
  for (int i = 0; i < H5Pget_nfilters(properties); ++i) {
    const H5Z_filter_t filter = H5Pget_filter2(properties, static_cast<unsigned>(i), nullptr,
                                               nullptr, nullptr, 0, nullptr, nullptr);
    if (std::ranges::find(kKnown, filter) == kKnown.end()) return false;
  }
  return true;
}

void require_in_hdf5(hid_t properties, const std::string& label) {
  if (H5Pget_external_count(properties) <= 0) return;
  std::array<char, 4096> name{};
  off_t offset = 0;
  hsize_t size = 0;
  H5Pget_external(properties, 0, name.size() - 1, name.data(), &offset, &size);
  fail<DataError>("hdf5",
                  "{}: its values lie outside of HDF5 files, in '{}' (external storage), which is "
                  "not read: copy it into a plain data set",
                  label, name.data());
}

std::uint64_t chunks_of(const Shape& shape, const Shape& chunk) {
  std::uint64_t count = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) count *= (shape[i] + chunk[i] - 1) / chunk[i];
  return count;
}

}  // namespace

Storage storage_of(hid_t properties, const std::string& label) {
  Storage storage;
  const H5D_layout_t layout = H5Pget_layout(properties);
  switch (layout) {
    case H5D_COMPACT:
      storage.layout = Layout::kCompact;
      break;
    case H5D_CONTIGUOUS:
      storage.layout = Layout::kContiguous;
      break;
    case H5D_CHUNKED: {
      std::array<hsize_t, H5S_MAX_RANK> chunk{};
      const int rank = H5Pget_chunk(properties, H5S_MAX_RANK, chunk.data());
      if (rank < 0) fail_hdf5(label, "read its chunks");
      storage.layout = Layout::kChunked;
      storage.chunk.assign(chunk.begin(), chunk.begin() + rank);
      break;
    }
    case H5D_VIRTUAL:
      storage.layout = Layout::kVirtual;
      break;
    default:
      fail<DataError>("hdf5", "{}: is stored in layout {}, which this program does not know", label,
                      static_cast<int>(layout));
  }
  storage.filtered = H5Pget_nfilters(properties) > 0;
  return storage;
}

double DataSet::decoded_rows() const {
  if (!storage_.filtered || shape_.empty() || storage_.chunk.size() != shape_.size()) return 1;
  double rows = static_cast<double>(storage_.chunk[0]);
  for (std::size_t i = 1; i < shape_.size(); ++i) {
    const std::uint64_t chunks = (shape_[i] + storage_.chunk[i] - 1) / storage_.chunk[i];
    rows *= static_cast<double>(chunks * storage_.chunk[i]) / static_cast<double>(shape_[i]);
  }
  return rows;
}

void DataSet::require_complete() {
  silence();
  const Handle properties =
      own(H5Dget_create_plist(id()), close_properties, label_, "read its layout");
  require_in_hdf5(properties.get(), label_);
  require_filters(id(), properties.get(), label_);
  if (elements() == 0) return;
  if (storage_.layout == Layout::kVirtual) return require_sources(properties.get());
  require<DataError>(H5Dget_storage_size(id()) > 0, "hdf5",
                     "{}: was never written: all values would read as the fill value", label_);
  if (storage_.layout == Layout::kChunked) {
    const Handle space = own(H5Dget_space(id()), close_space, label_, "read its shape");
    hsize_t written = 0;
    check(H5Dget_num_chunks(id(), space.get(), &written), label_, "count its chunks");
    const std::uint64_t needed = chunks_of(shape_, storage_.chunk);
    require<DataError>(written == needed, "hdf5",
                       "{}: {} of {} chunks were written: the others would read as the fill value",
                       label_, written, needed);
  }
  require_plausible_size(properties.get());
}

// A damaged header may claim any size: refuses one that the stored bytes cannot hold. Plug-ins may
// keep a constant chunk in a few bytes: there it is the number of chunks that vouches for the size.
void DataSet::require_plausible_size(std::int64_t properties) const {
  constexpr std::uint64_t kBestCompression = 1100;  // deflate reaches 1032 : 1
  if (!filters_are_known(properties)) return;
  const std::uint64_t stored = H5Dget_storage_size(id());
  const std::uint64_t needed = elements() * size_of(type_);
  require<DataError>(needed / kBestCompression <= stored, "hdf5",
                     "{}: shape {} needs {} bytes, {} are stored", label_, to_string(shape_),
                     needed, stored);
}

void DataSet::remember(const std::filesystem::path& file) {
  std::error_code code;
  other_files_.emplace(file, std::filesystem::file_size(file, code));
}

std::vector<std::filesystem::path> DataSet::other_files() const {
  std::vector<std::filesystem::path> files;
  for (const auto& [file, size] : other_files_) files.push_back(file);
  return files;
}

void DataSet::require_kept() const {
  for (const auto& [file, size] : other_files_) {
    std::error_code code;
    const std::uint64_t now = std::filesystem::file_size(file, code);
    require<SystemError>(!code, "hdf5", "{}: {} is lost: {}", label_, file.string(),
                         code.message());
    require<SystemError>(now >= size, "hdf5",
                         "{}: {} was cut short while it was in use: it has {} bytes, it had {}",
                         label_, file.string(), now, size);
  }
}

std::optional<std::uint64_t> DataSet::raw_offset() const {
  silence();
  const bool plain = storage_.layout == Layout::kContiguous && exact_ &&
                     H5Dget_storage_size(id()) == elements() * size_of(type_);
  const haddr_t offset = plain ? H5Dget_offset(id()) : HADDR_UNDEF;
  H5Eclear2(H5E_DEFAULT);
  if (offset == HADDR_UNDEF) return std::nullopt;
  return offset;
}

bool DataSet::lies_at(std::uint64_t offset, std::uint64_t row, const InputFile& file) const {
  const std::uint64_t bytes = row_elements() * size_of(type_);
  std::vector<std::byte> read(bytes), raw(bytes);
  read_rows(row, 1, type_, read.data());
  file.read(offset + row * bytes, raw);
  return read == raw;
}

std::optional<std::uint64_t> DataSet::proven_offset(const InputFile& file) const {
  const std::optional<std::uint64_t> offset = raw_offset();
  if (!offset || elements() == 0 || file_of(id(), label_) != file.path()) return std::nullopt;
  const std::uint64_t bytes = elements() * size_of(type_);
  require<DataError>(*offset <= file.size() && bytes <= file.size() - *offset, "hdf5",
                     "{}: truncated: ends at byte {}, the file at {}", label_, *offset + bytes,
                     file.size());
  const bool proven = lies_at(*offset, 0, file) && lies_at(*offset, rows() - 1, file);
  return proven ? offset : std::nullopt;
}

std::vector<std::byte> DataSet::fill_value(Type type) const {
  silence();
  const Handle properties =
      own(H5Dget_create_plist(id()), close_properties, label_, "read its layout");
  std::vector<std::byte> value(size_of(type));
  H5D_fill_value_t defined = H5D_FILL_VALUE_UNDEFINED;
  check(H5Pfill_value_defined(properties.get(), &defined), label_, "read its fill value");
  if (defined != H5D_FILL_VALUE_UNDEFINED) {
    check(H5Pget_fill_value(properties.get(), stored_type(type).get(), value.data()), label_,
          "read its fill value");
  }
  return value;
}

}  // namespace edt::h5
