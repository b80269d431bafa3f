#include "tests/golden/golden_file.h"

#include <hdf5.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <stdexcept>

#include "tests/support/places.h"

namespace edt::test {
namespace {

// An HDF5 identifier that is closed by its own kind's function.
class Id {
 public:
  Id(hid_t id, herr_t (*close)(hid_t), const std::string& what) : id_(id), close_(close) {
    if (id < 0) throw std::runtime_error("[golden] cannot open " + what);
  }
  ~Id() { close_(id_); }
  Id(const Id&) = delete;
  Id& operator=(const Id&) = delete;
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

template <class T>
hid_t native();
template <>
hid_t native<float>() {
  return H5T_NATIVE_FLOAT;
}
template <>
hid_t native<double>() {
  return H5T_NATIVE_DOUBLE;
}
template <>
hid_t native<std::int64_t>() {
  return H5T_NATIVE_INT64;
}

void check(herr_t status, const std::string& what) {
  if (status < 0) throw std::runtime_error("[golden] cannot read " + what);
}

std::size_t points(hid_t space) {
  return static_cast<std::size_t>(H5Sget_simple_extent_npoints(space));
}

}  // namespace

namespace {

using Kinds = std::map<std::string, std::string>;

// Of each file in a folder of golden_dir(). Each is opened once: every suite of a program asks
// before its first test, and a process may run one test alone.
const Kinds& kinds_in(const std::filesystem::path& folder) {
  static std::map<std::filesystem::path, Kinds> known;
  const auto [place, is_new] = known.try_emplace(golden_dir() / folder);
  if (!is_new) return place->second;
  for (const auto& entry : std::filesystem::directory_iterator(place->first)) {
    if (entry.path().extension() != ".h5") continue;
    const std::filesystem::path name = folder / entry.path().filename();
    place->second[name.string()] = golden_kind(GoldenFile(name));
  }
  return place->second;
}

}  // namespace

std::filesystem::path golden_dir() {
  const char* directory = std::getenv("EDT_GOLDEN_DIR");
  return directory != nullptr ? directory : test::in_sources("tests/golden");
}

std::vector<std::string> golden_models(const std::string& kind, const std::string& folder) {
  const bool is_there = std::filesystem::is_directory(golden_dir() / folder);
  std::vector<std::string> found;
  for (const auto& [name, its_kind] : kinds_in(is_there ? folder : "")) {
    if (its_kind == kind) found.push_back(name);
  }
  return found;
}

std::string golden_kind(const GoldenFile& file) {
  if (!file.has_attribute("/", "model")) return "";
  std::string kind = file.text("/", "model");
  if (file.has_attribute("/", "method")) kind += " " + file.text("/", "method");
  if (file.has_attribute("/", "objective")) kind += " velocity";
  return kind;
}

GoldenFile::GoldenFile(const std::filesystem::path& file)
    : file_((golden_dir() / file).string()),
      id_(H5Fopen(file_.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT)) {
  if (id_ < 0) throw std::runtime_error("[golden] cannot open " + file_);
}

GoldenFile::~GoldenFile() { H5Fclose(id_); }

bool GoldenFile::has(const std::string& name) const {
  std::size_t end = 0;
  do {  // every group on the way must exist before HDF5 may be asked for what is inside
    end = name.find('/', end + 1);
    if (H5Lexists(id_, name.substr(0, end).c_str(), H5P_DEFAULT) <= 0) return false;
  } while (end != std::string::npos);
  return true;
}

std::vector<std::string> GoldenFile::names(const std::string& group) const {
  const Id id(H5Gopen2(id_, group.c_str(), H5P_DEFAULT), H5Gclose, file_ + ":" + group);
  std::vector<std::string> found;
  const auto add = [](hid_t, const char* name, const H5L_info_t*, void* list) -> herr_t {
    static_cast<std::vector<std::string>*>(list)->emplace_back(name);
    return 0;
  };
  check(H5Literate(id, H5_INDEX_NAME, H5_ITER_INC, nullptr, add, &found), file_ + ":" + group);
  return found;
}

std::vector<std::int64_t> GoldenFile::shape(const std::string& data_set) const {
  const Id id(H5Dopen2(id_, data_set.c_str(), H5P_DEFAULT), H5Dclose, file_ + ":" + data_set);
  const Id space(H5Dget_space(id), H5Sclose, data_set);
  std::vector<hsize_t> dims(static_cast<std::size_t>(H5Sget_simple_extent_ndims(space)));
  H5Sget_simple_extent_dims(space, dims.data(), nullptr);
  return {dims.begin(), dims.end()};
}

template <class T>
std::vector<T> GoldenFile::read(const std::string& data_set) const {
  const Id id(H5Dopen2(id_, data_set.c_str(), H5P_DEFAULT), H5Dclose, file_ + ":" + data_set);
  const Id space(H5Dget_space(id), H5Sclose, data_set);
  std::vector<T> values(points(space));
  check(H5Dread(id, native<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()),
        file_ + ":" + data_set);
  return values;
}
template std::vector<float> GoldenFile::read(const std::string&) const;
template std::vector<double> GoldenFile::read(const std::string&) const;
template std::vector<std::int64_t> GoldenFile::read(const std::string&) const;

std::vector<std::string> GoldenFile::strings(const std::string& data_set) const {
  const Id id(H5Dopen2(id_, data_set.c_str(), H5P_DEFAULT), H5Dclose, file_ + ":" + data_set);
  const Id space(H5Dget_space(id), H5Sclose, data_set);
  const Id type(H5Dget_type(id), H5Tclose, data_set);
  const std::size_t length = H5Tget_size(type);
  std::string bytes(points(space) * length, '\0');
  check(H5Dread(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()), file_ + ":" + data_set);
  std::vector<std::string> texts;
  for (std::size_t at = 0; at < bytes.size(); at += length) {
    texts.emplace_back(bytes.substr(at, length).c_str());
  }
  return texts;
}

std::vector<double> GoldenFile::numbers(const std::string& object,
                                        const std::string& attribute) const {
  const std::string what = file_ + ":" + object + "@" + attribute;
  const Id id(H5Aopen_by_name(id_, object.c_str(), attribute.c_str(), H5P_DEFAULT, H5P_DEFAULT),
              H5Aclose, what);
  const Id space(H5Aget_space(id), H5Sclose, what);
  std::vector<double> values(points(space));
  if (values.empty()) return values;
  check(H5Aread(id, H5T_NATIVE_DOUBLE, values.data()), what);
  return values;
}

double GoldenFile::number(const std::string& object, const std::string& attribute) const {
  return numbers(object, attribute).at(0);
}

bool GoldenFile::has_attribute(const std::string& object, const std::string& attribute) const {
  return H5Aexists_by_name(id_, object.c_str(), attribute.c_str(), H5P_DEFAULT) > 0;
}

std::string GoldenFile::text(const std::string& object, const std::string& attribute) const {
  const std::string what = file_ + ":" + object + "@" + attribute;
  const Id id(H5Aopen_by_name(id_, object.c_str(), attribute.c_str(), H5P_DEFAULT, H5P_DEFAULT),
              H5Aclose, what);
  const Id type(H5Aget_type(id), H5Tclose, what);
  if (H5Tis_variable_str(type) <= 0) throw std::runtime_error("[golden] no text: " + what);
  char* value = nullptr;
  check(H5Aread(id, type, &value), what);
  const std::string copy(value);
  H5free_memory(value);
  return copy;
}

double distance(const std::vector<float>& actual, const std::vector<float>& expected) {
  if (actual.size() != expected.size()) return INFINITY;
  double error = 0, size = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double a = actual[i], b = expected[i];
    error += (a - b) * (a - b);
    size += b * b;
  }
  return std::sqrt(error / size);
}

}  // namespace edt::test
