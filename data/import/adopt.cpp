#include "data/import/adopt.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/storage/access.h"
#include "core/storage/directory_lock.h"
#include "core/storage/half.h"
#include "core/storage/hdf5_change.h"
#include "core/storage/input_file.h"
#include "data/dataset.h"
#include "data/import/array.h"
#include "data/import/moments.h"
#include "data/import/source.h"
#include "data/seal.h"

namespace edt::data {

namespace {

namespace fs = std::filesystem;

constexpr double kUsualScale = 0.18215;

// What one file gets.
struct Attributes {
  int classes = 0, image_size = 0;
  double scale = 0;
  std::vector<std::string> missing;  // with "complete", where it is
};

// What the file says, and what was said of it, are the same; or one of them is enough.
template <class T>
T agree(const h5::File& file, const char* name, const char* option, T said, T none, T there) {
  if (!file.has_attribute(name)) return said;
  require<UsageError>(said == none || said == there, "adopt", "{}: {} is {}, {} is {}",
                      file.path().string(), name, there, option, said);
  return there;
}

// The same of what stands under a name that other programs use.
template <class T>
T agree(const Remark* there, const char* option, T said, T none) {
  if (there == nullptr) return said;
  require<UsageError>(said == none || said == there->value, "adopt", "{} is {}, {} is {}",
                      there->where, there->value, option, said);
  return static_cast<T>(there->value);
}

// Nothing, with a warning, where what stands there cannot be meant.
const Remark* meant(const Remark* there, bool (*fits)(double), std::string_view what) {
  if (there == nullptr || fits(there->value)) return there;
  log::warning("{} is {}, which is no {}: it is not taken", there->where, there->value, what);
  return nullptr;
}

// What a reader of the set will want of the labels.
std::vector<std::int64_t> labels_of(const h5::File& file, std::uint64_t samples) {
  const h5::DataSet set = file.dataset("labels");
  require<DataError>(h5::is_integer(set.type()) && set.shape() == h5::Shape{samples}, "adopt",
                     "{}: {} {}, expected integers [{}]: `edt data import` converts them",
                     set.label(), set.type_name(), h5::to_string(set.shape()), samples);
  return set.read_all<std::int64_t>(h5::Type::kInt64);
}

int classes_of(const h5::File& file, const AdoptOptions& options, const Remarks& remarks,
               std::span<const std::int64_t> labels) {
  const auto [least, most] = std::minmax_element(labels.begin(), labels.end());
  const auto there =
      file.has_attribute("num_classes") ? static_cast<int>(file.read_int("num_classes")) : 0;
  const int classes =
      there > 0
          ? agree(file, "num_classes", "--classes", options.classes, 0, there)
          : agree(meant(remarks.find(Topic::kClasses), is_number_of_classes, "number of classes"),
                  "--classes", options.classes, 0);
  require<UsageError>(classes > 0, "adopt", "{}: --classes is needed, its labels are {} to {}",
                      file.path().string(), *least, *most);
  require<DataError>(*least >= 0 && *most < classes, "adopt",
                     "{}: its labels are {} to {}, outside 0 to {}", file.path().string(), *least,
                     *most, classes - 1);
  return classes;
}

// The labels, and what the first sample tells; `array` is "latents" or "moments".
void check_arrays(const h5::File& file, const AdoptOptions& options, const std::string& array,
                  double scale) {
  const auto arrays = open_hdf5_arrays(file.path());
  const auto values = arrays->find(array);
  const SampleShape shape = sample_shape(values->shape(), false, values->label());
  std::vector<float> first(shape.elements());
  values->read(0, first);
  require<DataError>(all_finite(first), "adopt", "{}: sample 0 contains NaN or infinity",
                     values->label());
  if (array == "moments") return;  // a negative deviation is refused when the set is opened
  const Moments meaning = decide_moments(options.moments, shape, first, values->label());
  require<UsageError>(meaning == Moments::kOff, "adopt",
                      "{}: holds moments under the name 'latents': `edt data import` converts them",
                      values->label());
  if (options.scale == 0) {
    require_scaled(first, scale, "--scale, or import them with --scaled off", values->label());
  }
}

std::string array_of(const h5::File& file) {
  const bool latents = file.has("latents"), moments = file.has("moments");
  const auto arrays = open_hdf5_arrays(file.path());
  require<DataError>(
      latents != moments && file.has("labels"), "adopt",
      "{}: needs latents or moments, and labels; there are: {}: `edt data import` takes "
      "arrays of other names",
      file.label(), fmt::join(arrays->list(), ", "));
  return latents ? "latents" : "moments";
}

// Of a file that lacks nothing: what was said of it is not to be passed over.
void require_agreement(const h5::File& file, const AdoptOptions& options) {
  const auto whole = [&](const char* name) {
    return file.has_attribute(name) ? static_cast<int>(file.read_int(name)) : 0;
  };
  const double scale = file.has_attribute("scale") ? file.read_double("scale") : 0;
  (void)agree(file, "num_classes", "--classes", options.classes, 0, whole("num_classes"));
  (void)agree(file, "image_size", "--image-size", options.image_size, 0, whole("image_size"));
  (void)agree(file, "scale", "--scale", options.scale, 0.0, scale);
}

Attributes look_at(const fs::path& path, const AdoptOptions& options) {
  const h5::File file = h5::File::open(path);
  Attributes attributes;
  attributes.missing = missing_attributes(file);
  if (!file.has_attribute("complete")) {
    attributes.missing.push_back("complete");
  } else {
    require<DataError>(file.read_int("complete") == 1, "adopt",
                       "{}: is marked as not complete: its writer was interrupted", path.string());
  }
  if (attributes.missing.empty()) {
    require_agreement(file, options);
    return attributes;
  }
  const std::string array = array_of(file);
  const Remarks remarks(*open_hdf5_arrays(path), array);
  const double there = file.has_attribute("scale") ? file.read_double("scale") : 0;
  const double said = file.has_attribute("scale")
                          ? agree(file, "scale", "--scale", options.scale, 0.0, there)
                          : agree(meant(remarks.find(Topic::kScale), is_scale, "scale"), "--scale",
                                  options.scale, 0.0);
  attributes.scale = said > 0 ? said : kUsualScale;
  check_arrays(file, options, array, attributes.scale);
  const h5::DataSet values = file.dataset(array);
  attributes.classes = classes_of(file, options, remarks, labels_of(file, values.rows()));
  const int side = options.vae_factor * static_cast<int>(values.shape().at(2));
  const int size =
      file.has_attribute("image_size") ? static_cast<int>(file.read_int("image_size")) : 0;
  require<UsageError>(
      options.image_size == 0 || options.image_size == side, "adopt",
      "--image-size is {}, and {} of {} are of pictures of {} pixels (--vae-factor {})",
      options.image_size, array, h5::to_string(values.shape()), side, options.vae_factor);
  const int shown = agree(file, "image_size", "--image-size", options.image_size, 0, size);
  attributes.image_size = shown > 0 ? shown : side;
  if (size == 0) remarks.note_rest(path.string(), options.vae_factor, values.shape().at(2));
  return attributes;
}

void write_missing(h5::File& file, const Attributes& attributes,
                   std::vector<std::string>& written) {
  written.clear();
  for (const std::string& name : attributes.missing) {
    std::string value;
    const auto write = [&](auto number) {
      file.write_attribute(name, number);
      value = fmt::to_string(number);
    };
    if (name == "format_version") write(kFormatVersion);
    if (name == "num_classes") write(attributes.classes);
    if (name == "image_size") write(attributes.image_size);
    if (name == "scale") write(attributes.scale);
    if (name == "complete") write(1);
    written.push_back(name + " = " + value);
  }
}

}  // namespace

AdoptReport adopt(const AdoptOptions& options) {
  const std::vector<fs::path> files = list_shards(options.path);
  const fs::path directory = fs::absolute(files[0]).parent_path();
  const DirectoryLock lock(directory);
  for (const fs::path& path : files) {
    if (::access(path.c_str(), W_OK) == 0) continue;
    const int code = errno;  // before another call takes its place
    fail<UsageError>("adopt", "{} cannot be written: {}", path.string(), error_text(code, path));
  }
  std::vector<std::pair<fs::path, FileChange>> changes;
  AdoptReport report;
  for (const fs::path& path : files) {
    const bool finished = finish_change(path);
    const bool sealed = check_seal(InputFile(path)) == Sealed::kYes;
    if (sealed) require_agreement(h5::File::open(path), options);
    const Attributes attributes = sealed ? Attributes{} : look_at(path, options);
    if (attributes.missing.empty()) {
      ++(finished ? report.adopted : report.whole);
      continue;
    }
    FileChange change = h5::record_change(path, [&](h5::File& file) {
      write_missing(file, attributes, report.written);
      (void)read_description(file);
    });
    require<DataError>(change.new_size >= change.old_size, "adopt",
                       "{}: holds {} bytes that HDF5 knows nothing of", path.string(),
                       change.old_size - change.new_size);
    changes.emplace_back(path, std::move(change));
  }
  for (const auto& [path, change] : changes) {
    change_file(path, change);
    ++report.adopted;
  }
  return report;
}

}  // namespace edt::data
