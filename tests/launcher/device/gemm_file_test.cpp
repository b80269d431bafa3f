// The file of chosen algorithms: what is written is read, and what is malformed is named.
#include "launcher/device/gemm_file.h"
#include "core/json/json_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/core/storage/expect_error.h"

namespace edt {
namespace {

using nlohmann::json;

GemmKey weight_gradient() {
  GemmKey key;
  key.m = 2808;
  key.n = 936;
  key.k = 32768;
  key.a_transposed = true;
  key.in = DType::kBFloat16;
  key.epilogue = Epilogue::kRowSums;
  key.extra_alignment = 4;
  return key;
}

GemmKey batch() {
  GemmKey key;
  key.m = 5;
  key.n = 7;
  key.k = 11;
  key.b_transposed = true;
  key.b_stride = 13;
  key.y_stride = 17;
  key.tf32 = true;
  key.batch = {.count = 3, .a = 55, .b = 77, .y = 35, .bias = 7};
  key.a_alignment = 8;
  key.b_alignment = 2;
  key.y_alignment = 1;
  return key;
}

GemmFile example() {
  GemmFile file{{"NVIDIA H100 80GB HBM3", "9.0", 132, 130100}, {"products.json", {}}};
  file.tuned.gemms[weight_gradient()] = {{1, 0xfedcba9876543210, 3, 0, 5, 6, 7, 0xffffffffffffffff},
                                         1.5e-3,
                                         1.25e-3,
                                         4,
                                         16,
                                         7,
                                         1.375e-3,
                                         1.125e-3,
                                         true};
  file.tuned.gemms[batch()] = {{9}, 2e-6, 2e-6, 0, 1, 3};
  file.tuned.attentions[{128, 256, 18, 52, 16, 16, true}] = {1.5e-4, 1e-4, 1e-4, 7, true};
  file.tuned.attentions[{128, 256, 18, 52, 16, 16, true, true}] = {4e-4, 2e-4, 2e-4, 7, true};
  file.tuned.attentions[{64, 64, 16, 72, 8, 8, false}] = {1e-5, 2e-5, 0, 7, false};
  return file;
}

GemmFile parsed(const json& file) { return parse_gemm_file(dump_json(file), "products.json"); }

class GemmFiles : public testing::Test {
 protected:
  json& first() { return file_["products"][0]; }

  json file_ = parse_json(format_gemm_file(example()), "output");
};

TEST_F(GemmFiles, KeepEveryField) {
  const GemmFile expected = example();
  const GemmFile read = parse_gemm_file(format_gemm_file(expected), "products.json");
  EXPECT_EQ(read.gpu, expected.gpu);
  EXPECT_EQ(read.tuned.source, "products.json");
  EXPECT_EQ(read.tuned.gemms, expected.tuned.gemms);
  EXPECT_EQ(read.tuned.attentions, expected.tuned.attentions);
}

TEST_F(GemmFiles, MayBeEmpty) {
  const GemmFile none{{"GPU", "8.0", 108, 1}, {"none.json", {}}};
  const GemmFile read = parse_gemm_file(format_gemm_file(none), "none.json");
  EXPECT_TRUE(read.tuned.gemms.empty());
  EXPECT_TRUE(read.tuned.attentions.empty());
}

TEST_F(GemmFiles, HaveALineForEachEntry) {
  const std::string text = format_gemm_file(example());
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 11 + 2 + 3) << text;
}

TEST_F(GemmFiles, OfAnotherKindAreRefused) {
  EXPECT_ERROR(parse_gemm_file("{", "p.json"), DataError, "p.json is no JSON");
  EXPECT_ERROR(parse_gemm_file("", "p.json"), DataError, "p.json is no JSON");
  EXPECT_ERROR(parse_gemm_file("[]", "p.json"), DataError, "p.json: [] is no object");
  EXPECT_ERROR(parse_gemm_file("{}", "p.json"), DataError, "p.json: format is missing");
  for (const std::string older : {"edt products 3", "edt products 4"}) {
    file_["format"] = older;
    EXPECT_ERROR(parsed(file_), DataError, "'" + older + "'", "'edt products 5'");
  }
}

TEST_F(GemmFiles, WrongHeadsAreNamed) {
  json other = file_;
  other["gpu"] = 3;
  EXPECT_ERROR(parsed(other), DataError, "products.json: gpu is 3, must be a text");
  other = file_;
  other.erase("compute_capability");
  EXPECT_ERROR(parsed(other), DataError, "compute_capability is missing");
  other = file_;
  other["cublaslt"] = "13";
  EXPECT_ERROR(parsed(other), DataError, "cublaslt is \"13\", must be a whole number");
  other = file_;
  other["products"] = json::object();
  EXPECT_ERROR(parsed(other), DataError, "products is {}", "must be a list");
}

// Each member of a product gone, and each with a value of another type.
TEST_F(GemmFiles, EveryMemberIsNeededWithItsType) {
  const json intact = first();
  for (const auto& [name, value] : intact.items()) {
    first() = intact;
    first().erase(name);
    EXPECT_ERROR(parsed(file_), DataError, "products.json: product 1", name + " is missing");
    first() = intact;
    first()[name] = json::array();
    EXPECT_ERROR(parsed(file_), DataError, "products.json: product 1", name, "[]");
  }
  for (const char* group : {"batch", "alignment"}) {
    for (const auto& [name, value] : intact[group].items()) {
      first() = intact;
      first()[group].erase(name);
      EXPECT_ERROR(parsed(file_), DataError, std::string(": ") + group, name + " is missing");
      first() = intact;
      first()[group][name] = 1.5;
      EXPECT_ERROR(parsed(file_), DataError, std::string(": ") + group, name + " is 1.5");
    }
  }
}

TEST_F(GemmFiles, EveryMemberOfAttentionIsNeededWithItsType) {
  json& attention = file_["attention"][0];
  const json intact = attention;
  for (const auto& [name, value] : intact.items()) {
    attention = intact;
    attention.erase(name);
    EXPECT_ERROR(parsed(file_), DataError, "products.json: attention 1", name + " is missing");
    attention = intact;
    attention[name] = json::array();
    EXPECT_ERROR(parsed(file_), DataError, "products.json: attention 1", name, "[]");
  }
  attention = intact;
  attention["tokens"] = 0;
  EXPECT_ERROR(parsed(file_), DataError, "attention 1: tokens is 0");
  attention = intact;
  attention["difference"] = -1;
  EXPECT_ERROR(parsed(file_), DataError, "attention 1: difference is -1, must be 0 or more");
  attention = intact;
  file_["attention"].push_back(intact);
  EXPECT_ERROR(parsed(file_), DataError, "products.json: attention 4",
               "64 x 8 x 8 tokens, 16 heads of 72, no bias, forward", "is attention 1 again");
  file_.erase("attention");
  EXPECT_ERROR(parsed(file_), DataError, "attention is missing");
}

TEST_F(GemmFiles, NumbersOutOfRangeAreNamed) {
  const json intact = first();
  const auto with = [&](const char* name, const json& value) {
    first() = intact;
    first()[name] = value;
    return file_;
  };
  EXPECT_ERROR(parsed(with("m", 0)), DataError, "m is 0, must be from 1");
  EXPECT_ERROR(parsed(with("k", -4)), DataError, "k is -4");
  EXPECT_ERROR(parsed(with("n", 1ull << 60)), DataError, "n is 1152921504606846976");
  EXPECT_ERROR(parsed(with("n", 0xffffffffffffffffull)), DataError, "n is 18446744073709551615");
  EXPECT_ERROR(parsed(with("b_stride", -1)), DataError, "b_stride is -1");
  EXPECT_ERROR(parsed(with("seconds", 0)), DataError, "seconds is 0, must be above 0");
  EXPECT_ERROR(parsed(with("in", "float64")), DataError, "in is 'float64'");
  EXPECT_ERROR(parsed(with("epilogue", "relu")), DataError, "epilogue is 'relu'");
  first() = intact;
  first()["alignment"]["y"] = 12;
  EXPECT_ERROR(parsed(file_), DataError, "y is 12, must be a power of two");
}

TEST_F(GemmFiles, AlgorithmsHaveAllTheirDigits) {
  const std::string digits = first()["algorithm"];
  ASSERT_EQ(digits.size(), 128);
  first()["algorithm"] = digits.substr(1);
  EXPECT_ERROR(parsed(file_), DataError, "products.json: product 1 (3 of 5 x 7T x 11 tf32, none)",
               "algorithm has 127 digits, must have 128");
  for (const std::size_t place : {64, 70, 127}) {
    for (const char wrong : {'g', '-', ' ', 'x'}) {
      std::string other = digits;
      other[place] = wrong;
      first()["algorithm"] = other;
      EXPECT_ERROR(parsed(file_), DataError, "product 1", "must be hexadecimal digits");
    }
  }
}

TEST_F(GemmFiles, AProductComesOnce) {
  file_["products"].push_back(first());
  EXPECT_ERROR(parsed(file_), DataError,
               "products.json: product 3 (3 of 5 x 7T x 11 tf32, none) is product 1 again");
}

TEST_F(GemmFiles, BelongToOneTypeOfGpu) {
  const GemmFile file = example();
  require_gpu(file, file.gpu);
  GpuType other = file.gpu;
  other.name = "NVIDIA H200";
  EXPECT_ERROR(require_gpu(file, other), DataError, "products.json was made for GPU",
               "NVIDIA H100 80GB HBM3", "NVIDIA H200");
  other = file.gpu;
  other.capability = "8.0";
  EXPECT_ERROR(require_gpu(file, other), DataError, "compute capability 9.0, here is 8.0");
  other = file.gpu;
  other.multiprocessors = 66;
  EXPECT_ERROR(require_gpu(file, other), DataError, "multiprocessors 132, here is 66");
  other = file.gpu;
  other.cublaslt = 130200;
  EXPECT_ERROR(require_gpu(file, other), DataError, "cuBLASLt 130100, here is 130200");
}

TEST_F(GemmFiles, ThatAreNotThereAreNamed) {
  EXPECT_ERROR(read_gemm_file("/none/products.json"), UsageError, "/none/products.json");
  EXPECT_ERROR(read_gemm_file("/"), UsageError, "/: there is no such file");
}

TEST(GemmText, NamesWhatDiffers) {
  EXPECT_EQ(text_of_gemm(weight_gradient()), "2808T x 936 x 32768 bf16 to float32, row-sums");
}

}  // namespace
}  // namespace edt
