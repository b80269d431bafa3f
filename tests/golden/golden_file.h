// Reads the golden values: HDF5 files computed with the published PyTorch implementations.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace edt::test {

// The directory named by the environment variable EDT_GOLDEN_DIR, else tests/golden of the sources.
std::filesystem::path golden_dir();

// The files in that folder of golden_dir() that hold values of this kind, by name; in golden_dir()
// itself where it has no such folder.
std::vector<std::string> golden_models(const std::string& kind, const std::string& folder = "");

// Of the norm of what is expected; infinite where sizes differ.
double distance(const std::vector<float>& actual, const std::vector<float>& expected);

// All readers convert to the type asked for and throw std::runtime_error, naming file and object.
class GoldenFile {
 public:
  explicit GoldenFile(const std::filesystem::path& file);  // relative to golden_dir()
  ~GoldenFile();
  GoldenFile(const GoldenFile&) = delete;
  GoldenFile& operator=(const GoldenFile&) = delete;

  bool has(const std::string& name) const;
  std::vector<std::string> names(const std::string& group) const;  // sorted
  std::vector<std::int64_t> shape(const std::string& data_set) const;
  // T is float, double or std::int64_t.
  template <class T>
  std::vector<T> read(const std::string& data_set) const;
  // Fixed-length texts without their padding.
  std::vector<std::string> strings(const std::string& data_set) const;

  // Attributes of a group or data set; "/" is the file itself.
  std::vector<double> numbers(const std::string& object, const std::string& attribute) const;
  double number(const std::string& object, const std::string& attribute) const;
  bool has_attribute(const std::string& object, const std::string& attribute) const;
  std::string text(const std::string& object, const std::string& attribute) const;

 private:
  std::string file_;
  std::int64_t id_;
};

// What a file holds, by its attributes: the model ("edt"), and behind it the method, or "velocity"
// where that is what the model is trained to predict ("edt velocity").
std::string golden_kind(const GoldenFile& file);

}  // namespace edt::test
