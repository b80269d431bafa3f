// A virtual data set answers with its fill value where a source is missing or too short and where
// no source is mapped, so every mapping is followed before any value is believed.
#include <fmt/ranges.h>

#include <cstring>

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

// As HDF5 looks for it: beside the virtual data set, by the last part of an absolute name that is
// not there, and in the present directory.
fs::path source_path(const std::string& name, const fs::path& holder) {
  if (name == ".") return holder;
  const fs::path source(name);
  std::error_code code;
  if (source.is_absolute() && fs::exists(source, code)) return source;
  const fs::path beside =
      holder.parent_path() / (source.is_absolute() ? source.filename() : source);
  if (fs::exists(beside, code) || !fs::exists(source, code)) return beside;
  return source;
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

struct Selected {
  std::vector<hsize_t> first;
  std::uint64_t values = 0;
};

// What a mapping takes of an array of this shape, all of which must be there. The extent of a
// selection of everything is not always in the file.
Selected selected(hid_t selection, const Shape& shape, const std::string& label) {
  if (is_whole(selection)) {
    Selected all{std::vector<hsize_t>(shape.size(), 0), 1};
    for (std::uint64_t n : shape) all.values *= n;
    return all;
  }
  const auto values = static_cast<std::uint64_t>(points_of(selection, label));
  const std::size_t rank = dimensions(selection, label).size();
  std::vector<hsize_t> first(rank), last(rank);
  check(H5Sget_select_bounds(selection, first.data(), last.data()), label, "read its sources");
  bool within = rank == shape.size();
  for (std::size_t i = 0; within && i < rank; ++i) within = last[i] < shape[i];
  require<DataError>(within, "hdf5", "{}: shape {}, but it is mapped up to [{}]", label,
                     to_string(shape), fmt::join(last, ", "));
  return {std::move(first), values};
}

double value_at(hid_t dataset, const std::vector<hsize_t>& place, const std::string& label) {
  const Handle space = own(H5Dget_space(dataset), close_space, label, "read its shape");
  const Handle single = vector_space(1);
  const std::vector<hsize_t> one(place.size(), 1);
  double value = 0;
  check(
      H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, place.data(), nullptr, one.data(), nullptr),
      label, "select a value");
  check(H5Dread(dataset, H5T_NATIVE_DOUBLE, single.get(), space.get(), H5P_DEFAULT, &value), label,
        "read a value");
  return value;
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

// HDF5 looks for a source by rules of its own, so the first value must be the same both ways.
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
  const double value = value_at(id(), here.first, label_);
  const double original = value_at(source.id(), there.first, source.label_);
  require<DataError>(std::memcmp(&value, &original, sizeof(value)) == 0, "hdf5",
                     "{}: value [{}] reads as {}, its source {} has {}", label_,
                     fmt::join(here.first, ", "), value, source.label_, original);
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
    const fs::path path = source_path(mapping.file, holder);
    std::error_code code;
    require<DataError>(fs::exists(path, code), "hdf5",
                       "{}: a virtual data set whose source {} is missing", label_, path.string());
    if (!file || file->path() != path) file.emplace(File::open(path));
    require_source(*file, mapping.dataset, mapping.to.get(), mapping.from.get());
  }
}

}  // namespace edt::h5
