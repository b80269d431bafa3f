// Inception's weights made by a rule, so that no file of 96 MB is kept: for tensor NAME and element
// i, z = FNV-1a(salt + NAME) + (i + 1) * golden ratio, mixed by splitmix64, its upper 24 bits as a
// number between -1 and 1, and a scale by the kind of tensor.
#pragma once

#include <filesystem>

#include "tests/golden/golden_file.h"

namespace edt::test {

// All tensors that the file's weights_check lists. Its salt, shapes and samples are the file's;
// throws where a sample is not met.
void write_ruled_inception(const GoldenFile& golden, const std::filesystem::path& safetensors);

// The same tensors with a sixteenth of the channels, but for the 2048 features at the end: a
// network that a test can afford on a slow backend.
void write_narrow_inception(const GoldenFile& golden, const std::filesystem::path& safetensors);

}  // namespace edt::test
