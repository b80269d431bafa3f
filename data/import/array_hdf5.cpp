// Data sets of HDF5 files: by name, or one for each sample in a group.
#include <algorithm>
#include <bit>
#include <cstring>

#include "core/base/dtype.h"
#include "core/base/error.h"
#include "data/import/array.h"
#include "data/natural_order.h"

namespace edt::data {

namespace {

using SharedFile = std::shared_ptr<const h5::File>;

bool is_float(h5::Type type) {
  return type == h5::Type::kFloat16 || type == h5::Type::kBFloat16 || type == h5::Type::kFloat32 ||
         type == h5::Type::kFloat64;
}

std::uint64_t chunk_rows(const h5::DataSet& set) {
  return set.storage().chunk.empty() ? 1 : set.storage().chunk[0];
}

// bf16 is kept as the bits of an uint16, which HDF5 does not know how to convert.
template <class T>
void read_values(const h5::DataSet& set, std::uint64_t first, std::uint64_t rows,
                 std::span<T> out) {
  if (set.type() != h5::Type::kBFloat16) {
    const bool wide = sizeof(T) == sizeof(double);
    set.read_rows(first, rows, wide ? h5::Type::kFloat64 : h5::Type::kFloat32, out.data());
    return;
  }
  std::vector<std::uint16_t> bits(out.size());
  set.read_rows(first, rows, h5::Type::kUInt16, bits.data());
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = std::bit_cast<float>(static_cast<std::uint32_t>(bits[i]) << 16);
  }
}

void require_floating(const h5::DataSet& set) {
  require<DataError>(is_float(set.type()), "import",
                     "{}: holds {}, float16, bf16, float32 or float64 is needed", set.label(),
                     set.type_name());
}

float fill_value_of(const h5::DataSet& set) {
  float value = 0;
  if (is_float(set.type()) && set.type() != h5::Type::kBFloat16) {
    std::memcpy(&value, set.fill_value(h5::Type::kFloat32).data(), sizeof value);
  }
  return value;
}

// Reads ahead, since compressed chunks hold many rows.
class Hdf5Array : public Array {
 public:
  Hdf5Array(SharedFile file, h5::DataSet set)
      : Array(set.label(), set.type_name(), set.shape()),
        file_(std::move(file)),
        set_(std::move(set)),
        fill_(fill_value_of(set_)) {}

  std::vector<std::filesystem::path> other_files() const override { return set_.other_files(); }
  void read(std::uint64_t first, std::span<float> out) override {
    require_floating(set_);
    read_as(first, out, floats_);
  }
  void read(std::uint64_t first, std::span<double> out) override { read_as(first, out, doubles_); }

 protected:
  float fill_value() const override { return fill_; }

 private:
  template <class T>
  struct Block {
    std::uint64_t first = 0;
    std::vector<T> values;
  };

  template <class T>
  void read_as(std::uint64_t first, std::span<T> out, Block<T>& block) {
    const std::uint64_t row = std::max<std::uint64_t>(row_elements(), 1);
    for (std::uint64_t done = 0; done < out.size() / row; ++done) {
      const std::uint64_t index = first + done;
      if (index < block.first || index >= block.first + block.values.size() / row) {
        load(index, block);
      }
      const auto from = std::span<const T>(block.values).subspan((index - block.first) * row, row);
      std::copy(from.begin(), from.end(), out.begin() + static_cast<std::ptrdiff_t>(done * row));
    }
  }

  template <class T>
  void load(std::uint64_t index, Block<T>& block) const {
    constexpr std::uint64_t kBlockBytes = 4 << 20, kMostBytes = 256 << 20;
    const std::uint64_t bytes = std::max<std::uint64_t>(row_elements(), 1) * sizeof(T);
    std::uint64_t count = std::max<std::uint64_t>(kBlockBytes / bytes, 1);
    const std::uint64_t chunk = chunk_rows(set_);
    if (chunk * bytes <= kMostBytes) count = std::max(count / chunk, std::uint64_t{1}) * chunk;
    block.first = index / count * count;
    count = std::min(count, rows() - block.first);
    block.values.resize(count * row_elements());
    read_values(set_, block.first, count, std::span(block.values));
  }

  SharedFile file_;
  h5::DataSet set_;
  float fill_ = 0;
  Block<float> floats_;
  Block<double> doubles_;
};

// The objects that stand for the rows: A/KEY/B for each key.
struct Members {
  std::vector<std::string> keys, names;
};

// One data set for each row, or an attribute of each, which may be a group's.
class Hdf5Members : public Array {
 public:
  Hdf5Members(SharedFile file, const std::string& label, Members members, std::string attribute)
      : Array(label, type_of(*file, members.names.at(0), attribute),
              shape_of(*file, members.names, attribute)),
        file_(std::move(file)),
        keys_(std::move(members.keys)),
        names_(std::move(members.names)),
        attribute_(std::move(attribute)) {}

  std::vector<std::string> row_names() const override { return keys_; }

  void read(std::uint64_t first, std::span<float> out) override { read_as(first, out); }
  void read(std::uint64_t first, std::span<double> out) override { read_as(first, out); }

 private:
  // [1, C, H, W] is a batch of one.
  static Shape without_batch(Shape shape) {
    if (shape.size() == 4 && shape[0] == 1) shape.erase(shape.begin());
    return shape;
  }
  static std::string type_of(const h5::File& file, const std::string& name,
                             const std::string& attribute) {
    return attribute.empty() ? file.dataset(name).type_name() : "attribute";
  }
  static Shape shape_of(const h5::File& file, const std::vector<std::string>& names,
                        const std::string& attribute) {
    Shape shape;
    if (attribute.empty()) shape = without_batch(file.dataset(names[0]).shape());
    shape.insert(shape.begin(), names.size());
    return shape;
  }

  template <class T>
  void read_as(std::uint64_t first, std::span<T> out) {
    const std::uint64_t row = row_elements();
    for (std::uint64_t done = 0; done < out.size() / row; ++done) {
      read_member(names_.at(first + done), out.subspan(done * row, row));
    }
  }

  template <class T>
  void read_member(const std::string& name, std::span<T> out) const {
    if (!attribute_.empty()) {
      out[0] = static_cast<T>(file_->is_group(name) ? file_->group(name).read_double(attribute_)
                                                    : file_->dataset(name).read_double(attribute_));
      return;
    }
    const h5::DataSet set = file_->dataset(name);
    const Shape expected(shape().begin() + 1, shape().end());
    require<DataError>(without_batch(set.shape()) == expected, "import",
                       "{}: shape {}, but {} has {}", set.label(), h5::to_string(set.shape()),
                       names_[0], h5::to_string(expected));
    if constexpr (sizeof(T) == sizeof(float)) require_floating(set);
    read_values(set, 0, set.rows(), out);
  }

  SharedFile file_;
  std::vector<std::string> keys_, names_;
  std::string attribute_;
};

class Hdf5File : public ArrayFile {
 public:
  explicit Hdf5File(const std::filesystem::path& path)
      : ArrayFile(path), file_(std::make_shared<const h5::File>(h5::File::open(path))) {}

  std::vector<std::string> list() const override {
    constexpr std::size_t kMost = 20;  // objects are opened for it
    std::vector<std::string> all = file_->names(), texts;
    all.resize(std::min(all.size(), kMost));
    for (const std::string& name : all) texts.push_back(described(name));
    for (const std::string& name : all.empty() ? all : attributes_of(all[0])) {
      texts.push_back("*@" + name);
    }
    return texts;
  }

  // NAME: a data set, or a group of one for each sample; A/*/B: one in each member of the group A;
  // NAME@ATTRIBUTE: of each. Where there is no NAME, */NAME is looked for.
  std::unique_ptr<Array> find(const std::string& name) const override {
    const std::size_t at = name.find('@');
    std::string object = at == 0 ? "*" : name.substr(0, at);
    const std::string attribute = at == name.npos ? "" : name.substr(at + 1);
    if (object.find('*') == object.npos) {
      if (!file_->has(object)) {
        object.insert(0, "*/");
      } else if (!file_->is_group(object)) {
        if (attribute.empty()) return std::make_unique<Hdf5Array>(file_, file_->dataset(object));
        return nullptr;
      } else {
        object += "/*";
      }
    }
    Members members = expand(object, !attribute.empty());
    if (members.names.empty()) return nullptr;
    if (!attribute.empty() && !has_attribute(members.names[0], attribute)) return nullptr;
    return std::make_unique<Hdf5Members>(file_, path().string() + ":/" + name, std::move(members),
                                         attribute);
  }

  NamedValues said(const std::string& array) const override {
    NamedValues values;
    add_attributes(*file_, values);
    if (array.find_first_of("*@") == array.npos && file_->has(array)) {
      if (file_->is_group(array)) {
        add_attributes(file_->group(array), values);
      } else {
        add_attributes(file_->dataset(array), values);
      }
    }
    for (std::size_t topic = 0; topic < kTopics; ++topic) {
      for (const std::string_view name : names_of(static_cast<Topic>(topic))) {
        add_number(std::string(name), values);
      }
    }
    return values;
  }

 private:
  // What cannot be read is there all the same.
  std::string described(const std::string& name) const {
    try {
      return file_->is_group(name)
                 ? fmt::format("{}/ of {} objects", name, file_->names(name).size())
                 : fmt::format("{} {}", name, h5::to_string(file_->dataset(name).shape()));
    } catch (const DataError&) {
      return name;
    }
  }

  // Those that each of a file's groups may have for its sample.
  std::vector<std::string> attributes_of(const std::string& name) const {
    return file_->is_group(name) ? file_->group(name).attribute_names()
                                 : std::vector<std::string>();
  }

  static void add_attributes(const h5::Object& object, NamedValues& values) {
    for (const std::string& name : object.attribute_names()) {
      const auto value = object.read_value(name);
      values.emplace_back(name, value.value_or("of a kind that is not read"));
    }
  }

  // A data set of one number, as h5py writes it for file["num_classes"] = 10.
  void add_number(const std::string& name, NamedValues& values) const {
    if (!file_->has(name) || file_->is_group(name)) return;
    const h5::DataSet set = file_->dataset(name);
    if (set.elements() != 1 || (!is_float(set.type()) && !h5::is_integer(set.type()))) return;
    double value = 0;
    read_values(set, 0, 1, std::span(&value, 1));
    values.emplace_back(name, std::vector<double>{value});
  }

  bool has_attribute(const std::string& object, const std::string& name) const {
    return file_->is_group(object) ? file_->group(object).has_attribute(name)
                                   : file_->dataset(object).has_attribute(name);
  }

  // Empty where the first member has no such data set, or group where these are as good.
  Members expand(const std::string& pattern, bool or_group) const {
    const std::size_t star = pattern.find('*');
    const std::string group = star == 0 ? "/" : pattern.substr(0, star - 1);
    const std::string rest = pattern.substr(star + 1);  // "" or "/B"
    if (group != "/" && (!file_->has(group) || !file_->is_group(group))) return {};
    Members members{.keys = file_->names(group), .names = {}};
    std::sort(members.keys.begin(), members.keys.end(), natural_less);
    for (const std::string& key : members.keys) {
      members.names.push_back((group == "/" ? "" : group + "/") + key + rest);
    }
    const auto fits = [&](const std::string& name) {
      return file_->has(name) && (or_group || !file_->is_group(name));
    };
    if (members.names.empty() || !fits(members.names[0])) return {};
    for (const std::string& name : members.names) {
      require<DataError>(fits(name), "import", "{}: there is no data set '{}', as there is '{}'",
                         path().string(), name, members.names[0]);
    }
    return members;
  }

  SharedFile file_;
};

}  // namespace

std::unique_ptr<Array> hdf5_array(std::shared_ptr<const h5::File> file, const std::string& name) {
  h5::DataSet set = file->dataset(name);
  return std::make_unique<Hdf5Array>(std::move(file), std::move(set));
}

std::unique_ptr<ArrayFile> open_hdf5_arrays(const std::filesystem::path& path) {
  return std::make_unique<Hdf5File>(path);
}

}  // namespace edt::data
