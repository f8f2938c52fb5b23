#pragma warning disable
// Stands in until the room is delivered: delete this file then.
namespace PgBackup.Codecs;
public static class CompressionNames { public static string Extension(CompressionMethod m)=>""; public static bool TrySplit(string n,out string s,out CompressionMethod m){s=n;m=0;return true;} public static IReadOnlyList<CompressionMethod> Readable=>[]; public static CompressionMethod Parse(string s)=>0;}
public enum KeyTransform { None, Hex, Base64 }
public sealed class EncryptionKey { public static EncryptionKey FromSettings(string s, KeyTransform t)=>new(); }
public sealed class SecretStreamReader : MemoryStream { public SecretStreamReader(Stream s, EncryptionKey k){} }
public static class StreamDecoder { public static Stream Open(Stream s, CompressionMethod m)=>s; }
public abstract class PartEncoder : IDisposable { public static PartEncoder Create(CompressionMethod m,int? l=null)=>null!; public CompressionMethod Method=>0; public bool ChunksAreIndependent=>true; public abstract int MaxEncodedLength(int n); public abstract int Encode(ReadOnlySpan<byte> p, Span<byte> d); public abstract PartStream BeginPart(); public void Dispose(){} }
public abstract class PartStream : IDisposable { public abstract void Append(ReadOnlySpan<byte> p, ReadOnlySpan<byte> e, System.Buffers.IBufferWriter<byte> o); public abstract void Complete(System.Buffers.IBufferWriter<byte> o); public void Dispose(){} }
public sealed class SecretStreamEncoder : IDisposable { public SecretStreamEncoder(EncryptionKey k){} public void Begin(System.Buffers.IBufferWriter<byte> o){} public void Append(ReadOnlySpan<byte> p, System.Buffers.IBufferWriter<byte> o){} public void Complete(System.Buffers.IBufferWriter<byte> o){} public void Dispose(){} }
public static class StreamEncoder { public static Stream Open(Stream s, CompressionMethod m, bool leaveOpen=false, int? level=null)=>s; }
public sealed class SecretStreamWriter : MemoryStream { public SecretStreamWriter(Stream s, EncryptionKey k, bool leaveOpen=false){} }
