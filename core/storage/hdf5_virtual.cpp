// A virtual data set answers with its fill value where a source is missing or too short and where
// no source is mapped, so every mapping is followed before any value is believed.
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "core/base/error.h"
#include "core/storage/hdf5_calls.h"

namespace edt::h5 {

namespace {

namespace fs = std::filesystem;

// Sources may be virtual themselves; HDF5 follows a circle until its stack ends.
class Depth {
 public:
  explicit Depth(const std::string& label) {
    constexpr int kDeepest = 8;
    require<DataError>(depth_ < kDeepest, "hdf5",
                       "{}: virtual data sets over virtual data sets, more than {} deep", label,
                       kDeepest);
    ++depth_;
  }
  ~Depth() { --depth_; }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;

 private:
  static thread_local int depth_;
};
thread_local int Depth::depth_ = 0;

struct Mapping {
  std::string file, dataset;
  Handle to, from;  // selections in the virtual and in the source data set
};

template <class Get>
std::string text_of(Get get, const std::string& label) {
  const ssize_t length = get(nullptr, 0);
  if (length < 0) fail_hdf5(label, "read its sources");
  std::string text(static_cast<std::size_t>(length) + 1, '\0');
  if (get(text.data(), text.size()) < 0) fail_hdf5(label, "read its sources");
  text.pop_back();
  return text;
}

std::vector<Mapping> read_mappings(hid_t properties, const std::string& label) {
  std::size_t count = 0;
  check(H5Pget_virtual_count(properties, &count), label, "read its sources");
  std::vector<Mapping> mappings(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto file = [&](char* text, std::size_t size) {
      return H5Pget_virtual_filename(properties, i, text, size);
    };
    const auto dataset = [&](char* text, std::size_t size) {
      return H5Pget_virtual_dsetname(properties, i, text, size);
    };
    mappings[i].file = text_of(file, label);
    mappings[i].dataset = text_of(dataset, label);
    mappings[i].to =
        own(H5Pget_virtual_vspace(properties, i), close_space, label, "read its sources");
    mappings[i].from =
        own(H5Pget_virtual_srcspace(properties, i), close_space, label, "read its sources");
    require<DataError>((mappings[i].file + mappings[i].dataset).find('%') == std::string::npos,
                       "hdf5",
                       "{}: its sources are named by a pattern ('{}:{}'), which is not read", label,
                       mappings[i].file, mappings[i].dataset);
  }
  return mappings;
}

// The number of selected values, and that it is fixed.
hssize_t points_of(hid_t selection, const std::string& label) {
  const hssize_t points = H5Sget_select_npoints(selection);
  require<DataError>(points != static_cast<hssize_t>(H5S_UNLIMITED), "hdf5",
                     "{}: maps sources without an end (an unlimited selection), which is not read",
                     label);
  if (points < 0) fail_hdf5(label, "read its sources");
  return points;
}

bool is_whole(hid_t selection) { return H5Sget_select_type(selection) == H5S_SEL_ALL; }

// A selection that is the same in each dimension: `count` blocks of `block`, `stride` apart.
struct Regular {
  std::vector<hsize_t> start, stride, count, block;

  // Of its values in order, number `k`.
  std::vector<hsize_t> place(std::uint64_t k) const {
    std::vector<hsize_t> at(start.size());
    for (std::size_t i = start.size(); i-- > 0;) {
      const hsize_t extent = count[i] * block[i], index = k % extent;
      at[i] = start[i] + index / block[i] * stride[i] + index % block[i];
      k /= extent;
    }
    return at;
  }
};

struct Selected {
  std::uint64_t values = 0;
  std::optional<Regular> regular;
};

// What a mapping takes of an array of this shape, all of which must be there. The extent of a
// selection of everything is not always in the file.
Selected selected(hid_t selection, const Shape& shape, const std::string& label) {
  const std::vector<hsize_t> ones(shape.size(), 1);
  if (is_whole(selection)) {
    Selected all{1, Regular{std::vector<hsize_t>(shape.size(), 0), ones, ones, {}}};
    all.regular->block.assign(shape.begin(), shape.end());
    for (std::uint64_t n : shape) all.values *= n;
    return all;
  }
  Selected some{static_cast<std::uint64_t>(points_of(selection, label)), {}};
  const std::size_t rank = dimensions(selection, label).size();
  std::vector<hsize_t> first(rank), last(rank);
  check(H5Sget_select_bounds(selection, first.data(), last.data()), label, "read its sources");
  bool within = rank == shape.size();
  for (std::size_t i = 0; within && i < rank; ++i) within = last[i] < shape[i];
  require<DataError>(within, "hdf5", "{}: shape {}, but it is mapped up to [{}]", label,
                     to_string(shape), fmt::join(last, ", "));
  if (H5Sis_regular_hyperslab(selection) > 0) {
    Regular& regular = some.regular.emplace(Regular{first, ones, ones, ones});
    check(H5Sget_regular_hyperslab(selection, regular.start.data(), regular.stride.data(),
                                   regular.count.data(), regular.block.data()),
          label, "read its sources");
  }
  return some;
}

// The selected values of a data set, in order, as `type`.
std::vector<std::byte> values_of(hid_t dataset, hid_t selection, std::uint64_t count, hid_t type,
                                 const std::string& label) {
  std::vector<std::byte> values(count * H5Tget_size(type));
  const Handle memory = vector_space(count);
  check(H5Dread(dataset, type, memory.get(), selection, H5P_DEFAULT, values.data()), label,
        "read its values");
  return values;
}

std::vector<std::byte> values_at(hid_t dataset, const std::vector<hsize_t>& places,
                                 std::uint64_t count, hid_t type, const std::string& label) {
  const Handle space = own(H5Dget_space(dataset), close_space, label, "read its shape");
  check(H5Sselect_elements(space.get(), H5S_SELECT_SET, count, places.data()), label,
        "select values");
  return values_of(dataset, space.get(), count, type, label);
}

double value_at(hid_t dataset, const std::vector<hsize_t>& place, const std::string& label) {
  double value = 0;
  const auto bytes = values_at(dataset, place, 1, H5T_NATIVE_DOUBLE, label);
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

Handle native_type(hid_t dataset, const std::string& label) {
  const Handle stored = own(H5Dget_type(dataset), close_type, label, "read its type");
  return own(H5Tget_native_type(stored.get(), H5T_DIR_DEFAULT), close_type, label, "read its type");
}

// The number of the values of an array of `elements` that have a source.
std::uint64_t covered(const std::vector<Mapping>& mappings, std::uint64_t elements,
                      const std::string& label) {
  Handle all;
  for (const Mapping& mapping : mappings) {
    if (is_whole(mapping.to.get())) return elements;
    (void)points_of(mapping.to.get(), label);  // has an end
    all = all.get() < 0 ? Handle(H5Scopy(mapping.to.get()), close_space)
                        : own(H5Scombine_select(all.get(), H5S_SELECT_OR, mapping.to.get()),
                              close_space, label, "read its sources");
  }
  return all.get() < 0 ? 0 : static_cast<std::uint64_t>(points_of(all.get(), label));
}

}  // namespace

// HDF5 looks for a source by itself, and answers with the fill value where it cannot open it: so
// values must be the same both ways. Of a selection in one piece some do, spread over all of it.
void DataSet::require_source(const File& file, const std::string& name, std::int64_t to,
                             std::int64_t from) {
  const DataSet source = file.dataset(name);
  remember(file.path());
  other_files_.insert(source.other_files_.begin(), source.other_files_.end());
  if (source.decoded_rows() > decoded_rows()) {
    storage_.chunk = source.storage_.chunk;
    storage_.filtered = storage_.chunk.size() == shape_.size();
  }
  const Selected here = selected(to, shape_, label_);
  const Selected there = selected(from, source.shape_, source.label_);
  require<DataError>(here.values == there.values, "hdf5", "{}: {} values are mapped to {} of {}",
                     label_, here.values, there.values, source.label_);
  if (here.values == 0) return;
  const Handle type = native_type(id(), label_);  // to which HDF5 converts those of the source
  if (!here.regular || !there.regular) {
    require<DataError>(values_of(id(), to, here.values, type.get(), label_) ==
                           values_of(source.id(), from, here.values, type.get(), source.label_),
                       "hdf5", "{}: does not read as its source {}", label_, source.label_);
    return;
  }
  constexpr std::uint64_t kCompared = 8;  // per source, at every open
  const std::uint64_t last = here.values - 1;
  for (std::uint64_t i = 0; i < kCompared; ++i) {
    const std::uint64_t k = last * i / (kCompared - 1);  // far below 2^64, as sizes are below 2^59
    const auto place = here.regular->place(k), original = there.regular->place(k);
    const bool same = values_at(id(), place, 1, type.get(), label_) ==
                      values_at(source.id(), original, 1, type.get(), source.label_);
    require<DataError>(same, "hdf5", "{}: value [{}] reads as {}, its source {} has {}", label_,
                       fmt::join(place, ", "), value_at(id(), place, label_), source.label_,
                       value_at(source.id(), original, source.label_));
  }
}

void DataSet::require_sources(std::int64_t properties) {
  const Depth depth(label_);
  const std::string holder = file_of(id(), label_);
  const std::vector<Mapping> mappings = read_mappings(properties, label_);
  const std::uint64_t mapped = covered(mappings, elements(), label_);
  require<DataError>(mapped == elements(), "hdf5",
                     "{}: {} of {} values of a virtual data set have a source: the others would "
                     "read as the fill value",
                     label_, mapped, elements());
  std::optional<File> file;
  for (const Mapping& mapping : mappings) {
    const LinkedFile source = mapping.file == "."
                                  ? LinkedFile{holder, ""}
                                  : linked_file(mapping.file, holder, "HDF5_VDS_PREFIX");
    require<DataError>(source.problem.empty(), "hdf5", "{}: is virtual, and {}", label_,
                       source.problem);
    if (!file || file->path() != source.path) file.emplace(File::open(source.path));
    require_source(*file, mapping.dataset, mapping.to.get(), mapping.from.get());
  }
}

}  // namespace edt::h5
