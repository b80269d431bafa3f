// Chosen algorithms of matrix products and kernels of attention as a JSON file: what `edt tune`
// writes and runs read.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/cuda/tuned_gemms.h"

namespace edt {

struct GemmFile {
  GpuType gpu;
  TunedGemms tuned;  // whose source is the file's name
};

// `name` is the file's. Throws DataError naming it, the product and its key where it is malformed.
GemmFile parse_gemm_file(std::string_view text, const std::string& name);
std::string format_gemm_file(const GemmFile& file);

// UsageError where there is no such file.
std::string read_gemm_file(const std::filesystem::path& path);

// Throws DataError with both values unless the file was made for this type of GPU.
void require_gpu(const GemmFile& file, const GpuType& here);

// "256 x 5616 x 936 bf16 to float32, row-sums"
std::string text_of_gemm(const GemmKey& key);
// "128 x 16 x 16 tokens, 18 heads of 52"
std::string text_of_attention(const AttentionKey& key);

}  // namespace edt
