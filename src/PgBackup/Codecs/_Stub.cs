#pragma warning disable
// Stands in until the room is delivered: delete this file then.
namespace PgBackup.Codecs;
public static class CompressionNames { public static string Extension(CompressionMethod m)=>""; public static bool TrySplit(string n,out string s,out CompressionMethod m){s=n;m=0;return true;} public static IReadOnlyList<CompressionMethod> Readable=>[]; public static CompressionMethod Parse(string s)=>0;}
public enum KeyTransform { None, Hex, Base64 }
public sealed class EncryptionKey { public static EncryptionKey FromSettings(string s, KeyTransform t)=>new(); }
public sealed class SecretStreamReader : MemoryStream { public SecretStreamReader(Stream s, EncryptionKey k){} }
public static class StreamDecoder { public static Stream Open(Stream s, CompressionMethod m)=>s; }
