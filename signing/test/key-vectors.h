/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Public keys and signatures of KEY_MESSAGE, all made by the openssl command: genpkey, pkey -pubout, dgst -sign, pkeyutl -sign. */
#ifndef SIGNING_TEST_KEY_VECTORS_H
#define SIGNING_TEST_KEY_VECTORS_H

/* The canonical form of a JSON text too: that is what the tests of counting need. */
#define KEY_MESSAGE "{\"a\":[1,true],\"b\":\"\xc3\xa9\\\"\n\"}"

static const char p256_pem[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYr3xSIZLLWJFjFAt6DWvjxmQ7YVV\n"
	"ZQDrbl3Rei89jJjn2l6cHEVRZ7Nec3GL1Cg/h87IKpP/jtq8FTUCkH0OUA==\n"
	"-----END PUBLIC KEY-----\n";
static const char p256_signature[] =
	"304502201cc76b5622302ecb0b6bac5f7e39f469933d7efe525a2092f2f09d91bb99b75302210080fd96b2ffc533175f081b"
	"f13fe356fe9e73b90e2e8ce0fda4a889abd79e67e6";
static const char p256_other_pem[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE/iv2WnY1Ty46ZBC0GiuZBEhEuyEx\n"
	"JHpnB0w696LvnfocW+QFrjhuMyRDvwnmEJaZwaQT1b2EFopgXV9hxbgxpg==\n"
	"-----END PUBLIC KEY-----\n";
static const char p384_pem[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEPHmh1JRzt6eK8QAcSRhPSlwzKwWZSK1l\n"
	"UuuHI5O544Xo51FyLWrcynH21S8Krsjcj7wSGRGQu1fzf0YWGmNGr+2r1haG9NZL\n"
	"zOxZy07jF6FA9gQ6b/sHJnj3sI/sZ0uf\n"
	"-----END PUBLIC KEY-----\n";
static const char k1_pem[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEOzADRlkwkzAKKqF9oyPi2RLfH8imGhe1\n"
	"1ixyXpW+dYSEtJ7PqzbeeHBodWayDHXdobkhrTU5Wsd4XPnSISTHJQ==\n"
	"-----END PUBLIC KEY-----\n";
static const char p256_explicit_pem[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MIIBSzCCAQMGByqGSM49AgEwgfcCAQEwLAYHKoZIzj0BAQIhAP////8AAAABAAAA\n"
	"AAAAAAAAAAAA////////////////MFsEIP////8AAAABAAAAAAAAAAAAAAAA////\n"
	"///////////8BCBaxjXYqjqT57PrvVV2mIa8ZR0GsMxTsPY7zjw+J9JgSwMVAMSd\n"
	"NgiG5wSTamZ44ROdJreBn36QBEEEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5\n"
	"RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9QIhAP////8AAAAA\n"
	"//////////+85vqtpxeehPO5ysL8YyVRAgEBA0IABGK98UiGSy1iRYxQLeg1r48Z\n"
	"kO2FVWUA625d0XovPYyY59penBxFUWezXnNxi9QoP4fOyCqT/47avBU1ApB9DlA=\n"
	"-----END PUBLIC KEY-----\n";
static const char rsa_pem[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA1xSH3kTdYYOVhly974dv\n"
	"KC/uC1rWIEmIgwrvgSm5u7By8PFfME2vv0keHUeQ8QUB02/WFhfOue50fVu0lipr\n"
	"Ix+8H8k2iO6ElQj9+lJaX/Ujq5D36PabopzCIbN6jLHG7gFos9wH7DEEZlfz8Zrd\n"
	"/eKdvG48U8W27GhEA1AX/khkhUOekReZaDngZTTDxd786LVDBwG7T71v9TisFt3G\n"
	"JpydVis/HP1G5gx2YAmP9Mlmwu8djLzV46gSTMvCWF3+3HlsoyrMnzXXkvwl/xQF\n"
	"J4aHQtCNI2/YAtya5/7QhX7sum15PCahimjKRA4fTpzkh7ZPuDJmlzgKN/u7ZdYF\n"
	"lQIDAQAB\n"
	"-----END PUBLIC KEY-----\n";
static const char rsa_salt_32_signature[] =
	"2ee93ea977faa732cbbe05ab2a5d5b0086d00a7e96ad74b2297eec68058cc37d290138e133198821741d50d8e5835a5c374e"
	"e8112efc04f7c8e785f3ac34609df1961d10098c5ba0c372795c99cf3a7b47c31ca04ec8a49ac0909df0760513bdc93861ed"
	"2bae4d059af29d04ea6d946356626c57a9466f94a61fb9539a310eb71e768891868919d4ec4f49563dc2adbe047984764cc3"
	"b632871ea8c68ca5ef037d2009470e02f50bb6b5c7aa2e35f4270ca1784be523b010ddd34640fed2710f705e27b54f0c520c"
	"793b961fdabbb299930b917d5368c2fc41931f51c528137034265aad655fec2f62a437b68f42af17b7d99e13dbf5563add06"
	"9367ea2b0c9f";
static const char rsa_salt_0_signature[] =
	"5459cdfc52dba0b4aea45200565dacbaa022f89268a451e6060582109f9094cee5bd3b636f3af0a82c1c4ef1d7016b98aacf"
	"01618493443db92e2317e3e2ba682ba2f762daecebdc71490d053553afdfe35d04d4047d00fe1793482c199050d241fafa25"
	"94452484a44e6af25ea21ef8a7268a8342808466aea1d244a207565b3fb4118f0ebc1307fc0341763b13fd985b6dd806a683"
	"1551aacad4e8120fb71bf2e461bcdc50f555b4e76c3ede20db254778738f3d9ae36e80fe89cac3cbb846fee4a0efc777a2b9"
	"25266e9ac9b225a63c30af4f5861f7939f0fcb24f27dc2bc189090da8fbe00b23d817d45d5ecbbff701ce2d578487e0033c1"
	"0fabcef58d59";
/* As long as it can be: 222 bytes. */
static const char rsa_salt_most_signature[] =
	"74d76196c77c032bd7bdb661a6ac2a47b07d9862f82e1550987d57eb52732eeeb2697e6bc94744c5cbc0f8916e356f174b1b"
	"901d341c4bb33406bba88127eb8482a647e0084a6a349863360a26906c410159e6bb939f8bb50a2bc2772701b1d7dac18ef7"
	"1115ef178b31db4d8012643b80e88f255061bd3635cbd022edd949e1edb361e8cbd95f1be139ea53690f0a2dc620c852f620"
	"153f303e7ef78ad48a0a71f19a59212b14ade58766da2d7ef042febc0107924683e0a654b500a0757b4758bcc0e69970c88b"
	"f73f751525938f652a5c76329d3a8b958be73340a38b8d34324c3df86513662a5b96584710fe0209072ad35dad2e5b6ef38f"
	"2ec6c2e6c8e6";
static const char rsa_sha512_signature[] =
	"42f2141284f35e97ee0a5f06c0f70de7d93f96e1ad3bb7f4444c2fb2ed7360832d04a98a681ec63fbfdd3c0ea1b4dacf3f63"
	"059d2dfd6fe8e1dfb53794f1fcc6016bb8a5b892b628358178bd2ddae131ad4c0ff2423aaa1bf162effc46a617908321baca"
	"d3e4d329277aca8cbb9a9ca4b32d7b8853a19343dd09aea64ff4eaf9d41fb2e019d3da0f40be45446341ad57fcd5980d642a"
	"1cbb7dfb61265d8cf3d9e55a5631fbcbc3b6cae4b1ea41455b5276f54abe2a8e8203a7378742847689dc5cbb92235eb2ca6e"
	"a13fb41591c148b06dd8e68a092d74a4b0b8146893045225e0fb4a91e8ce06d7aafc4ea6cc7a959fafd2568bdea06fc23e44"
	"8c295d032910";
static const char rsa_mgf1_sha1_signature[] =
	"644b6334eddd43351fce522ce9aa97891cfa72b138ee15e68900f812163647f3f831ff237bc926e339e4cb0d04cd53a5f7cb"
	"6e859e62261ab0c35de1351ecf5e5aced15f1095c912ff2c27118e956e8146de55166c7ca0a3f8ff0516702247c3f1877114"
	"e1c6404be276eeeabdea4d0870889dbe8872e9c34c4a6e2bb4a931464e5f8b7298f272dc40063920b27915d41de522021dcc"
	"d0ae1fa215819496dbb3e6a6f60848d8835e84e7aa274dc12d4d1a85d799826894aed3d03819721f3f77908dadd86346de86"
	"4c360aec99f2ea74f4911a857406de70c575574d2e72178fc09fb750e2c43d4b94a4beab22e62a47c72e6dd700d1ca7648e4"
	"a4aafec61185";
static const char rsa_pkcs1_signature[] =
	"44389f61cfb72bdf99f212e37401ce1652bc53f611d49983010b29fb5bb191270b69f5e3539937eec25ef87ff2b89b88a93a"
	"44f343958bb58dc16b7af6743e53d1c1aa87b906dd635c9bfa748d8199c899aecc7d6d18e19875ab34d29dcb5df653e1662b"
	"5d63c63a3a27469d8b7a8820cff2ed0a747e1177c05c0bfb07cc0d2d818d0120ec2f4cab14530f1dd77543f4e4c239469b3d"
	"4ea425951265579df9e2c3cb2140e56f408f620685d10c8faa69c7b759a72b692250998dc8a82be4d8e9b726d63e6d0813a7"
	"6e794af5b445ac33e6e4b536ef6e69790ee5387f452dd5850c8cf892808b52b17c42f2dff7974617ae73c1b14bb5cad7510e"
	"58fe2d457d96";
static const char rsa_pkcs1_pem[] =
	"-----BEGIN RSA PUBLIC KEY-----\n"
	"MIIBCgKCAQEA1xSH3kTdYYOVhly974dvKC/uC1rWIEmIgwrvgSm5u7By8PFfME2v\n"
	"v0keHUeQ8QUB02/WFhfOue50fVu0liprIx+8H8k2iO6ElQj9+lJaX/Ujq5D36Pab\n"
	"opzCIbN6jLHG7gFos9wH7DEEZlfz8Zrd/eKdvG48U8W27GhEA1AX/khkhUOekReZ\n"
	"aDngZTTDxd786LVDBwG7T71v9TisFt3GJpydVis/HP1G5gx2YAmP9Mlmwu8djLzV\n"
	"46gSTMvCWF3+3HlsoyrMnzXXkvwl/xQFJ4aHQtCNI2/YAtya5/7QhX7sum15PCah\n"
	"imjKRA4fTpzkh7ZPuDJmlzgKN/u7ZdYFlQIDAQAB\n"
	"-----END RSA PUBLIC KEY-----\n";
static const char rsa_1024_pem[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCpTsNelWXMreX9nrA20t+FTpHk\n"
	"9j3vlFfFCre7+VxsNLs5CDNJ1tnmTbRwSMwF7wgEX029kQ5sGWWMnA7FimYHtVGJ\n"
	"O/ksoI4B4G0cM+BF0ccV9uxy2DDE9zqMclkdxTlDsYARAqQuTfljNr1g2ahTB+3H\n"
	"Y+lZ3ysOgu8KA7OcIwIDAQAB\n"
	"-----END PUBLIC KEY-----\n";
/* Exponent 3. */
static const char rsa_3072_pem[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MIIBoDANBgkqhkiG9w0BAQEFAAOCAY0AMIIBiAKCAYEAs28LbQpJqFdyoonRDF4k\n"
	"A5x79AgcctcIHNmpStom7kn1C2oCpELnFLieApf4msiyckctfy0MN2qd+MxlleaH\n"
	"ILSIqdRyDMfwjtQQm9LnepgoSu9JZErFcfDf0U9K0Qd7hXaZJUc3Cm7IoA21JGt0\n"
	"8mV/dVWdPolgprUE8HMI6jS+9Oy0CEG6HTMGOGK410M36EpBxedzMryfrE7njz6C\n"
	"/GurhN0vq5lCPArPsTspbhJV/dhuNikdA/NzvS7qL6geeU2fyHSXPh0hRMrFxlbj\n"
	"RXhVhR7bKH7BD27YY7nqNAXEYSnoCLpv7jfBSA8Nkw7FHJUL8ZIeq5cqEPfwKbM2\n"
	"5HDXQJHs/3S0U+Z+powa1lIkqB9kXAU2yF4xGyh4nEVV5nTtlF+mXstsCrQulaGj\n"
	"f9A8dt4bQ1+xj1ePbEph8yfuSRhnJZi25DOw/jy42xEBZt2bgwv7cPB8bXIq+l5K\n"
	"04ayEsOrFqDmOhK9UdD28OHjlcKsDQKscWqO9ApqeWDFAgED\n"
	"-----END PUBLIC KEY-----\n";
static const char rsa_3072_signature[] =
	"63161569685cc702760cd0a6d7d2fc88150b53754bda7571b9bcc1daeb42860cf12271f66b99b93c1a40591b40f5edc60249"
	"f6840d24f70eca251f606e541cf57cf6eefddf965d6007d844d901862b77faa7197d16a47fa8b1498626d72866878d94b5ca"
	"13ed1af5dbc004e6ec93758017ba025d27eb9c1db72eb73df7764777b3346b8ddfc16928367ab19bf0da650a2b34de8e8404"
	"3424c98a2a95744a63b05e6b57ea1efb9af1b675cbe5d795ebfb72130cd746c5cce75e05221705fab1013bc4999c496651c2"
	"a6520d8fcf07b879d74e168c726d93fde8ccfa44a43ab59fb9d428fd6021a7880af01ef36615f015174d7b04d9ac948a8867"
	"f4cc14ea751e5e5acb32b8684f1935acdfdb81b96598df8aa82730dfd6277b3b1b12a583fe07b4ef0963cb805701817fbd59"
	"baceef034c8d3280e2b0f4d08c666c0ef4af8acbf6b54a1432df5ab6e36c3790c05f1d9320a31770dc1ff6623ac062eec292"
	"41a8a04087732a6087db286bff30ae1b4021802a7cca1921b426a467a40f0fe9958e";
static const char ed25519_pem[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MCowBQYDK2VwAyEAPGfw4iWghE73F9XkocCDlgCb8wINiFdgicYgUwOxFWg=\n"
	"-----END PUBLIC KEY-----\n";
static const char ed25519_public[] =
	"3c67f0e225a0844ef717d5e4a1c08396009bf3020d88576089c6205303b11568";
static const char ed25519_signature[] =
	"4696122e7df37286bf6817942fbc850df786935b7f8375b0d92bb517e313f8909aa9ef610f4ec603074e3aedffad5511f66c"
	"ca5e54ca8d8b3d71b0a860b8a009";
/* Larger than what is looked at. */
static const char rsa_16384_pem[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MIIIIjANBgkqhkiG9w0BAQEFAAOCCA8AMIIICgKCCAEAvotuB+Bht3cNHvYvvg+f\n"
	"67GhUOUrpqdHjkxB0KXjEWKAATIDuDTENiqo+JvK7jytsP4tTDxTDHduhIDz2ZSK\n"
	"bGrj2jNGOmjlC24Cg4gqrcnkEpe0CaHmqfIO7c6ttogcFt0Ns/xikAVpmLD4VSod\n"
	"piM1c257P4t7MzOxFDLFpiZ9uQi2QlFtnuaScQpIuMCivIuycAaKbfEpQipL5OgA\n"
	"lLDCznN2L37YqCyJ/Tio26M6+eFUWl8Az4z1lOxyWr2BBqia80g+j/RdyafiAES9\n"
	"DU+n3VpKhD7j7P0DgQtGrPdPEqRcxdiCCLwpWDoxi4PWVQXQ76bg4xJ/47nyaZx9\n"
	"RVHUgvjQF8Y13iBOg5XMz0g+dsCedudDVOCYJ7SEOsiY4zWkF0oq6n08Ta14WwXL\n"
	"Jb8aFN0DLdJmEMPpfzf67snAhACdq9tMf5YRb6N6LRFkRDnMNOYyZGQlcMq5I0FA\n"
	"YJC0cDIHbAJNLct4wCNnYgGoTEWfIqylCEQssH6jqxzRZPiqMsfWE/gv/SV6zPVE\n"
	"DvHmIzzDYAOrR0+/RproDixEFppoRV6zndcIRLkKUj/l9nQMKEVUNHZ7IkD+soB5\n"
	"Fl/XIP9a2oLIvZULefDsIJbhTES7ijYWs0RKk7GV1RnY+416q/y9kXc+BNjh3Zl4\n"
	"WyiMRlYsqkmdbYYxXfXAZG1Kyk4NtOgu9hx68F3JNngI1xyGx8UKHUst/V/voGh0\n"
	"ZkILQQpWoAfdWQVu4tszHLoYIxm45K4YxKA8xBCIEygco/M5weU01Q057ql1VVAi\n"
	"MS1eenPG5Sa0wNz+QnwUnNfGMPzEM6/Rh6z8NrpyhureX10wiZeQoRi04JUMoZwr\n"
	"L3cp5/HhrwlVA1oV2ShEGQjiERIrAWVDNJVss8HWJUhZOuKZsqlVLQpzrrXmy0vp\n"
	"nzF0TZVi+AqvVq6eVtd8Edn3v2Ltzi63Wjb0mzi/MVMXloh0LLjRaLVP9SYCnwga\n"
	"AeYXij6eMkS97R7MfIM1UlZioysqAhTG5p+FTw8NgjwUcOpA4cm/jgCR9CAhPDBY\n"
	"nAxDSypj+yqiar71Foq9VO6/N6aJ5Fh7Dk/+0ANPtyzmlWg5Jb67XEI/rc8Ubb9D\n"
	"lnceJJAJ9M8rIdpWrWNsXNugB+r4CRrQgERwrsqPw5KqTIZANJAbsSfrJz349opR\n"
	"ywMbnZsTpMn1dmZDfhIKIyB/5329CPoz1SFK6xrUNibludYIXMWj/YTMpQdkWaiG\n"
	"s8XDceHGZqCAAoNKA4g+fsbO2s3DIn7XcueQL7K9fQnBqzn/eB3ci+XFFwBv/EUK\n"
	"B6Yz6K+TMLpUA5g48/94GSCPTDTedYuouWXkx2uDirasvUTqctwLC50j9YdCIHh7\n"
	"5qxGICeVMo0Rvok7la2u+uY5ge1IHacWUXjSoXb54/5MysM69+qdnp9E2au2a51A\n"
	"A2ioCbSPlbPWFqQD1hR0v2jzfL6dJwbBf3NH6UY01MbiEVTg3yV99ClDUl7hx7ts\n"
	"dpuhB9o/yjd4FwLCIcjdkq16ucYPa29wk3cqXe5Zr1h8lr3lo9iJMU06Lg9iFqma\n"
	"4iNVRZk0QwLVXgjDPZpu6pLa+Okaxgzl5rpIv4qvq6rzrtUJ9Ba4fYZ9fh6io5uG\n"
	"Pj0NMlwulfKAyM/88JbqgW2C5dv77FYXrbn1oNXtRK1VkmqxgxAyN4WHBZQX2Kf/\n"
	"nM+Jdj9b2HQsbDC3BrdZp6I3otL9bspaMnNEh634G94i+7Q1IM5W7Vj5D679H1ex\n"
	"WXAHqerwluevh3DjBfN/82yojImBJx1QOs9tsgRKKbnQl6rnvorU8dXOnZ9wntfv\n"
	"1pBFuySydJQP8bvydFxZfdw8UNODuIFlSrRl4FVQnUIahMx5I6cKvjMnhDmaYRME\n"
	"L0B5ddT+PJhnuWc956NWJjDm/p10uCnj/wd6MysZ8y2BAdFhxGagCrFIlNfK/UiV\n"
	"P9yseN9qR8FpAm2FdAtukfjRWzWSX6i/ggGT3jntroU9J+R+boEHpCo6fQxKtnwg\n"
	"7Y7kkUP3+8509Q8AdGtMVBHnu6h7zuEMrOh7AwIeqGuXghkt5q1TQ7QuRPkdX0ls\n"
	"R4sEAmc0a7NukHSB4QUb2gWNQp5JkkLaKA+9Z8/SMHEDasBaCIue72EiRnEMd6Pn\n"
	"CtFzLo7xo2p/3yhoORcUfXMGvIpWzC64Rkpj/7AY2LZDyjsT4BTB5VIxZww9ySut\n"
	"doPO6jOK6rQ1oCGDzZdKiC2U8VhsFdU8AIrWR0lqf4SMvMAbc0RFsbqy1cfoPMKv\n"
	"f1AM2ucinV8orr9PnVxRGsNTIgSt/nb9Wm/3UFLjG2NjvVaBG5mRq/3vC7+fnMjm\n"
	"H0r/7y6M1AQvGuG6W7ClFKSiXuvhXnbCA7G9BO4y1nyRrX142X9kRnZE8AtVLfbK\n"
	"b8vSTMwYWXqoXnScMnSPjomUgu5/j2UlBjjeg3YKOhcz0inB4/E2+XmisvJmBBlf\n"
	"GZSePiCVMacETiQkk+1+rIEs1HcIobJJmMCEDkHinQVzR2W0RykAaZAFJfqaOEnh\n"
	"XjczKODjB3PqvsASPUaiY92C41BaIhozFKc7c55URLu/IDAVmXaLzDNPY81Dp215\n"
	"ICfXeO/VezwLXG4ToD25lYQLT5IOq9akUDmjP3fcSSRJUXFgEyylEqIUPyXXnRw1\n"
	"EdRrneDRDxAToYMKiRydotgcp6yQ5FnKbepeEVNLLlLo2/O0lr0VK/cXNEJIza8F\n"
	"k8b0UiJ4zUcYDilsZLovnSECAwEAAQ==\n"
	"-----END PUBLIC KEY-----\n";

/* The first two have the secret of another one above: of rsa_pem with another exponent, and of p256_pem (the negative of its
 * point). The last one is ed25519_public and the point of order two. */
static const char rsa_other_exponent_pem[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MIIBITANBgkqhkiG9w0BAQEFAAOCAQ4AMIIBCQKCAQEA1xSH3kTdYYOVhly974dv\n"
	"KC/uC1rWIEmIgwrvgSm5u7By8PFfME2vv0keHUeQ8QUB02/WFhfOue50fVu0lipr\n"
	"Ix+8H8k2iO6ElQj9+lJaX/Ujq5D36PabopzCIbN6jLHG7gFos9wH7DEEZlfz8Zrd\n"
	"/eKdvG48U8W27GhEA1AX/khkhUOekReZaDngZTTDxd786LVDBwG7T71v9TisFt3G\n"
	"JpydVis/HP1G5gx2YAmP9Mlmwu8djLzV46gSTMvCWF3+3HlsoyrMnzXXkvwl/xQF\n"
	"J4aHQtCNI2/YAtya5/7QhX7sum15PCahimjKRA4fTpzkh7ZPuDJmlzgKN/u7ZdYF\n"
	"lQICAQE=\n"
	"-----END PUBLIC KEY-----\n";
static const char p256_negated_pem[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYr3xSIZLLWJFjFAt6DWvjxmQ7YVV\n"
	"ZQDrbl3Rei89jJgYJaFi47qumUyhjI50K9fAeDE31mwAcSVD6sr9b4Lxrw==\n"
	"-----END PUBLIC KEY-----\n";
static const char ed25519_shifted[] =
	"b1980f1dda5f7bb108e82a1b5e3f7c69ff640cfdf277a89f7639dfacfc4eea97";

#endif
