/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/entitled.h"

#define HASH "0057b499e6580b8f1470405567c95ee0595d21dafa3fcabd189c9b1c730b100c"

static void test_path_is_of_an_image(void **state)
{
	char image[TARGET_PATH_MOST + 1], path[2 * TARGET_PATH_MOST];

	(void)state;
	assert_true(entitled_image("targets/app/web/minimal/" HASH ".1.0.img.zst", image));
	assert_string_equal(image, "app/web/minimal");
	assert_true(entitled_image("targets/os/minimal/" HASH ".1.0.img.zst.patch-from-0011223344556677", image));
	assert_string_equal(image, "os/minimal");
	assert_true(entitled_target("os/minimal/1.0.img.zst", image));
	assert_string_equal(image, "os/minimal");
	/* What is no image, or none that could be assigned. */
	assert_false(entitled_image("metadata/timestamp.json", image));
	assert_false(entitled_image("targets/file", image));
	assert_false(entitled_target("", image));
	assert_false(entitled_target("/", image));
	memset(path, 'x', sizeof path);
	memcpy(path, "targets/", 8);
	strcpy(path + sizeof path - 3, "/y");
	assert_false(entitled_image(path, image));
}

static void test_assignment_and_boot_under_way_count(void **state)
{
	static struct node node;
	char images[ENTITLED_MOST][TARGET_PATH_MOST + 1];

	(void)state;
	assert_int_equal(entitled_list(&node, images), 0);
	assert_false(entitled_to(&node, ""));
	strcpy(node.assignment.os_target, "os/debian/2.img.zst");
	strcpy(node.boot.os_target, "os/minimal/1.img.zst");
	strcpy(node.boot.app_target, "app/web/minimal/1.img.zst");
	/* Before its first boot there is none. */
	assert_int_equal(entitled_list(&node, images), 1);
	assert_false(entitled_to(&node, "os/minimal"));
	node.booted_once = true;
	assert_int_equal(entitled_list(&node, images), 3);
	assert_true(entitled_to(&node, "os/debian"));
	assert_true(entitled_to(&node, "os/minimal"));
	assert_true(entitled_to(&node, "app/web/minimal"));
	/* No part of a name, and no more than it. */
	assert_false(entitled_to(&node, "app/web"));
	assert_false(entitled_to(&node, "app/web/minimal/1.img.zst"));
	assert_false(entitled_to(&node, "app/cache/minimal"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_path_is_of_an_image),
		cmocka_unit_test(test_assignment_and_boot_under_way_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
