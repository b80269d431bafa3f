// EXPECT_ERROR(statement, DataError, "part", ...): the statement throws that type and its message,
// one line, contains every part.
#pragma once

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/error.h"

#define EXPECT_ERROR(statement, Type, ...)                                           \
  try {                                                                              \
    statement;                                                                       \
    ADD_FAILURE() << "no error from " #statement;                                    \
  } catch (const Type& expected_error) {                                             \
    const std::string message = expected_error.what();                               \
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;                     \
    for (const std::string& expected_part : std::vector<std::string>{__VA_ARGS__}) { \
      EXPECT_THAT(message, testing::HasSubstr(expected_part));                       \
    }                                                                                \
  } catch (const std::exception& other_error) {                                      \
    ADD_FAILURE() << "another error than " #Type ": " << other_error.what();         \
  }
